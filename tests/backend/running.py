"""The Site of tests/api/server.py, a running palate, for tests whose own server.py is the one
beside this file."""
import importlib.util
import os

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api", "server.py")
_SPEC = importlib.util.spec_from_file_location("api_server", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
Site = _MODULE.Site
