"""Certificates for servers that are spoken to by TLS."""
import os
import subprocess

from server import need


def certificate(folder, name="127.0.0.1"):
    """Files of an authority and of a certificate that it signed: (certificate, key, authority)."""
    openssl = need("openssl")

    def file(ending):
        return os.path.join(folder, ending)

    def openssl_run(*words):
        subprocess.run([openssl, *words], check=True, capture_output=True, timeout=60)

    kind = "IP" if name[0].isdigit() else "DNS"
    with open(file("names"), "w", encoding="utf-8") as f:
        f.write(f"subjectAltName={kind}:{name}\n")
    openssl_run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
                "-keyout", file("ca.key"), "-out", file("ca.pem"))
    openssl_run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", file("key.pem"), "-out", file("request.pem"))
    openssl_run("x509", "-req", "-days", "2", "-in", file("request.pem"), "-CA", file("ca.pem"),
                "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", file("names"),
                "-out", file("cert.pem"))
    return file("cert.pem"), file("key.pem"), file("ca.pem")
