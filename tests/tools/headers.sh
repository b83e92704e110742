# Shows that every header compiles alone, and the public one also as C++ and as strict C.
#
# Not those that are the text of a program for several instruction sets: each file that includes
# one gives the meaning of its words first.
. "$(dirname "$0")/tree.sh"
cc=${CC:-cc} cxx=${CXX:-c++}
cd "$root"

templates=' math/kernels_simd.h math/kernels_dense.h math/kernels_sgd.h '

count=0
while read -r header; do
    [[ $templates != *" $header "* ]] || continue
    echo "#include \"$header\"" >"$tree/alone.c"
    accepts $cc -std=gnu11 -D_GNU_SOURCE -Wall -Werror -Iinclude -Isrc -fsyntax-only "$tree/alone.c"
    count=$((count + 1))
done < <(cd src && find . -name '*.h' | sed 's|^\./||' | sort)
echo "$count headers compile alone"
[[ $count -gt 0 ]]

printf '#include <palate.h>\n#include <palate.h>\n' | tee "$tree/p.c" >"$tree/p.cpp"
accepts $cc -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$tree/p.c"
accepts $cxx -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$tree/p.cpp"
