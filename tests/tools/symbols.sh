# Shows that libpalate's names are the ones of its header and no others: each function that the
# header declares is in the library, and everything the library shows begins with pal_.
. "$(dirname "$0")/tree.sh"
library=$2/libpalate.so

nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u >"$tree/shown"
said=$(grep -v '^pal_' "$tree/shown" || true)
[[ -z $said ]] || fail 'names that are not palate'"'"'s can be seen in the library'

${CC:-cc} -E "$root/include/palate.h" | tr '\n' ' ' |
    { grep -oE '\bpal_[a-z0-9_]+ *\(' || true; } | tr -d ' (' | sort -u >"$tree/declared"
said=$(comm -23 "$tree/declared" "$tree/shown")
[[ -z $said ]] || fail 'declared in palate.h, but not in the library'
said=$(comm -13 "$tree/declared" "$tree/shown")
[[ -z $said ]] || fail 'in the library, but not declared in palate.h'
