#!/bin/sh
# What the image tests need on top of setup.sh: diskimage-builder and hadolint, in a venv of their own.
# Silent and quick when everything is there.
set -eu
cd "$(dirname "$0")/../.."
packaging/venv.sh build/images images
