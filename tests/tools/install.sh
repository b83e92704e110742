# Shows that what `meson install` puts in place is whole: header, library, pkg-config file, binary
# and man page; and that the example builds against it by pkg-config's word alone, and runs.
. "$(dirname "$0")/tree.sh"
build=$2
meson install -C "$build" --no-rebuild --quiet --destdir "$tree/dest"
prefix=$tree/dest$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')

# there: fails unless exactly one installed file has this path below the prefix
there() {
    said=$(find "$prefix" -path "$prefix/$1")
    [[ -n $said && $said != *$'\n'* ]] || fail "$1 is not installed once"
}
there 'include/palate.h'
there 'lib*/libpalate.so'
there 'lib*/libpalate.so.0'
there 'lib*/pkgconfig/palate.pc'
there 'bin/palate'
there 'share/man/man1/palate.1'
cmp "$root/include/palate.h" "$prefix/include/palate.h"
"$prefix/bin/palate" version >"$tree/version"
grep -q "$(sed -n 's/^Version: //p' "$(find "$prefix" -name palate.pc)")" "$tree/version"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name palate.pc)")
PKG_CONFIG_SYSROOT_DIR=$tree/dest
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libpalate.so)")
export LD_LIBRARY_PATH

# a library with a sanitizer in it wants programs that have it too
sanitizer=$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys
value = next(o["value"] for o in json.load(sys.stdin) if o["name"] == "b_sanitize")
print(",".join(value) if isinstance(value, list) else value)')
if [[ -n $sanitizer && $sanitizer != none ]]; then
    flags=-fsanitize=$sanitizer
    # the library has C++ in it, the program has not: clang must be told
    ! ${CC:-cc} --version | grep -q clang || flags+=' -fsanitize-link-c++-runtime -lstdc++'
fi
said=$(cd "$tree" && ${CC:-cc} -std=c99 -Wall -Werror ${flags:-} "$root/examples/quickstart.c" \
    $(pkg-config --cflags --libs palate) -o quickstart 2>&1) || fail 'quickstart.c does not build'
"$tree/quickstart" >"$tree/answer"
grep -q 'Stalker' "$tree/answer" # what ann has not seen and bob, who likes the same, has
echo 'header, library, pkg-config file, binary and man page are in place, and the example runs'
