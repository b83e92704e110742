# What the tests of the tools share: a temporary tree, and looking at what a tool said about it.
set -euo pipefail
root=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
said=

# put FILE: standard input becomes that file of the tree.
put() {
    mkdir -p "$tree/$(dirname "$1")"
    cat >"$tree/$1"
}

fail() {
    printf 'FAILED: %s\nit said:\n%s\n' "$1" "$said"
    exit 1
}

# accepts / refuses COMMAND...: runs it and checks its exit status; $said is its output.
accepts() {
    said=$("$@" 2>&1) || fail "$* ended with $?, not 0"
}
refuses() {
    local status=0
    said=$("$@" 2>&1) || status=$?
    [[ $status == 1 ]] || fail "$* ended with $status, not 1"
}

# says TEXT...: each must be the beginning of a line of what it said.
says() {
    local text
    for text; do
        grep -qE "^$text" <<<"$said" || fail "no line begins with '$text'"
    done
}

# offences N: how many lines name a file and a line.
offences() {
    local n
    n=$(grep -cE '^[^ ]+:[0-9]+: ' <<<"$said" || true)
    [[ $n == "$1" ]] || fail "$n offences, not $1"
}
