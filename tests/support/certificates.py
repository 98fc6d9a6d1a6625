"""Certificates as an operator makes them: with openssl."""

import subprocess
from pathlib import Path

# What `openssl ca` needs to know before it signs; `x509 -req`, which needs nothing, knows no dates before OpenSSL 3.4,
# and from 3.5 on no negative days.
CA_CONFIG = """\
[ca]
default_ca = own
[own]
database = {folder}/{name}.database
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""
LONG_AGO = ("-startdate", "20240101000000Z", "-enddate", "20240131000000Z")


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

    def issue(
        self, name: str, *, san: str = "DNS:localhost,IP:127.0.0.1", is_expired: bool = False
    ) -> tuple[Path, Path]:
        """A certificate and its key."""
        cert, key, request = (self.folder / f"{name}.{ending}" for ending in ("crt", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-new", *curve, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={name}")
        files = ["-in", str(request), "-out", str(cert), "-extfile", str(extensions)]
        if is_expired:
            config, database = (self.folder / f"{name}.{ending}" for ending in ("conf", "database"))
            config.write_text(CA_CONFIG.format(folder=self.folder, name=name))
            database.touch()
            signer = ["-config", str(config), "-cert", str(self.cert), "-keyfile", str(self._key)]
            openssl("ca", "-batch", "-notext", *signer, *files, *LONG_AGO)
        else:
            signer = ["-CA", str(self.cert), "-CAkey", str(self._key), "-CAcreateserial"]
            openssl("x509", "-req", *signer, *files, "-days", "30")
        return cert, key
