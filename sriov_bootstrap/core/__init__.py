"""Pure decisions: values in, values out; no files, clock, environment, logging or asyncio."""
