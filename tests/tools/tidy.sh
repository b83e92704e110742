# Shows that tools/tidy catches each kind of offence, where it stands, and leaves alone what is just
# within the limits. Format is checked on the real sources only.
. "$(dirname "$0")/tree.sh"

# function LINES: a C function of that many lines, its signature on two of them.
function_of() {
    printf 'static int f(int a,\n             int b)\n{\n'
    for ((i = 4; i < $1; i++)); do printf '    a += b;\n'; done
    printf '}\n'
}
# python_of LINES: the same as a Python function inside a class.
python_of() {
    printf 'class A:\n    def f(self):\n'
    for ((i = 1; i < $1; i++)); do printf '        self.a += 1\n'; done
    printf '\n    def g(self):\n        pass\n'
}
lines_of() { for ((i = 0; i < $1; i++)); do printf 'int a%d;\n' "$i"; done; }
columns_of() { printf '/*%*s*/\n' "$(($1 - 4))" '' | tr ' ' x; }

{ echo 'enum { A };'; function_of 69; echo; function_of 69; } | put src/good.c
python_of 69 | put tools/good.py
lines_of 599 | put src/long.h
columns_of 100 | put src/wide.c
printf '/* %s */\n' "$(printf 'é%.0s' {1..94})" | put src/accents.c
put src/table.c <<'C'
static const int table[] = {
    1,
};
C
put tests/fuzz/seeds/x/seed <<<'trailing '
accepts "$root/tools/tidy" "$tree"

{ echo 'int before;'; function_of 70; } | put src/function.c
{ printf '#!/usr/bin/env python3\n'; python_of 70; } | put tools/script
lines_of 600 | put src/long.c
columns_of 101 | put src/wide.c
printf 'int a; \nint b;\n/* TO''DO: more */\n// FIX''ME\n' | put src/rest.c
printf 'text' | put notes.md
refuses "$root/tools/tidy" "$tree"
says 'src/function.c:2: a function of 70 lines' 'tools/script:3: a function of 70 lines' \
    'src/long.c:600: 600 lines' 'src/wide.c:1: 101 columns' 'src/rest.c:1: blanks' \
    'src/rest.c:3: a note' 'src/rest.c:4: a note' 'notes.md:1: no newline' 'tidy: 8 offences'
offences 8
