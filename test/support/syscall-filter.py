"""syscall-filter.py TERMS COMMAND…: runs COMMAND with the system calls that TERMS (JSON) allow, as systemd filters them.

allow: names; all others fail with EPERM. families: of socket(). namespaces: whether clone() may make any.
"""
import ctypes, json, os, sys

terms, command = json.loads(sys.argv[1]), sys.argv[2:]
ALLOW, ERRNO, EPERM, ENOSYS = 0x7FFF0000, 0x00050000, 1, 38
EQ, MASKED_EQ, NEW_NAMESPACES = 4, 7, 0x7E020080


class Argument(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ERRNO | EPERM)))


def rule(action, name, *arguments):
    number = library.seccomp_syscall_resolve_name(name.encode())
    # Of another architecture.
    if number < 0:
        return
    array = (Argument * len(arguments))(*arguments)
    code = library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(arguments), array)
    if code != 0:
        sys.exit(f"{name}: {os.strerror(-code)}")


special = {"socket", "clone", "clone3", "unshare", "setns"}
for name in sorted(set(terms["allow"]) - special):
    rule(ALLOW, name)
for family in terms["families"]:
    rule(ALLOW, "socket", Argument(0, EQ, family, 0))
if terms["namespaces"]:
    for name in ("clone", "clone3", "unshare", "setns"):
        rule(ALLOW, name)
else:
    rule(ALLOW, "clone", Argument(0, MASKED_EQ, NEW_NAMESPACES, 0))
    rule(ERRNO | ENOSYS, "clone3")
if library.seccomp_load(context) != 0:
    sys.exit("the filter could not be loaded")
os.execvp(command[0], command)
