# Shows that tools/layers accepts what the table grants and catches each kind of offence, where it
# stands, and nothing else.
. "$(dirname "$0")/tree.sh"

put tools/layers.txt <<'T'
# a comment
base:
math:   base
data:   base
engine: base math data/one.h # and another
tests:  *
examples:
T
put include/palate.h <<<'#include <stddef.h>'
put src/base/a.c <<<'#include "base/a.h"'
put src/base/a.h <<<'#include "palate.h"'
put src/math/m.c <<'C'
#include "math/m.h"
#include "local.h"
#include "base/a.h"
#include <sys/stat.h>
/* "engine/e.h" in a comment is no include */
C
put src/engine/e.c <<<'#include "data/one.h"'
put tests/unit/t.c <<<'#include "engine/e.h"'
put examples/x.c <<<'#include <palate.h>'
accepts "$root/tools/layers" "$tree"
says 'layers: 7 files'

put src/base/a.c <<'C'
/* upwards */
#include "base/a.h"
#  include "math/m.h"
C
put src/engine/e.c <<<'#include "data/two.h"'
put src/math/m.c <<<'#include "../base/a.h"'
put src/other/o.c <<<'#include "other/o.h"'
put include/palate.h <<<'#include "base/a.h"'
put examples/x.c <<<'#include <base/a.h>'
refuses "$root/tools/layers" "$tree"
says 'src/base/a.c:3: base may not see math/m.h' 'src/engine/e.c:1: engine may not see data/two.h' \
    'src/math/m.c:1: "../base/a.h" climbs' 'src/other/o.c:1: folder other has no row' \
    'include/palate.h:1: the public header' 'examples/x.c:1: examples may not see base/a.h' \
    'layers: 6 offences'
offences 6

# The table itself can't turn the order around.
put tools/layers.txt <<'T'
base: math
math:
T
refuses "$root/tools/layers" "$tree"
says 'tools/layers.txt: base sees math'
