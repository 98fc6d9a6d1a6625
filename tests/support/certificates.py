"""Certificates as an operator makes them: with openssl."""

import subprocess
from pathlib import Path


def openssl(*arguments: str, text: str = "") -> str:
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, check=True).stdout


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.cert, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(self._key)]
        openssl("req", "-x509", *key, "-out", str(self.cert), "-days", "30", "-subj", f"/CN={name}")

    def issue(self, name: str, *, san: str = "DNS:localhost,IP:127.0.0.1", days: int = 30) -> tuple[Path, Path]:
        """A certificate and its key."""
        cert, key, request = (self.folder / f"{name}.{ending}" for ending in ("crt", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-new", *curve, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}")
        signer = ["-CA", str(self.cert), "-CAkey", str(self._key), "-CAcreateserial", "-extfile", str(extensions)]
        openssl("x509", "-req", "-in", str(request), "-out", str(cert), "-days", str(days), *signer)
        return cert, key
