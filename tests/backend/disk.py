"""A small disk for a server, that can be filled up and freed again."""
import os
import subprocess

from server import Skip


class Disk:
    """A tmpfs of so many megabytes in the folder, as a context."""

    def __init__(self, folder, megabytes):
        self.folder, self.ballast = folder, os.path.join(folder, "ballast")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
                              capture_output=True, check=False)
        if done.returncode:
            raise Skip("this user may not mount a disk")

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as f:
            try:
                while f.write(bytes(1 << 12)):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self.ballast)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=False)
