# Shows that tools/install-deps is silent where all is there, and names what is not.
. "$(dirname "$0")/tree.sh"

accepts "$root/tools/install-deps" --check
[[ -z $said ]] || fail 'it should be silent'

CC=no-such-compiler refuses "$root/tools/install-deps" --check
# the compiler, and the headers nobody can look for
says 'install-deps: missing: gcc libc6-dev libxgboost-dev \('
PKG_CONFIG_LIBDIR=$tree PKG_CONFIG_PATH='' refuses "$root/tools/install-deps" --check
says 'install-deps: missing: libxxhash-dev libopenblas-pthread-dev libjansson-dev'
refuses "$root/tools/install-deps" --everything
says "install-deps: unknown option '--everything'"

# Where there is no apt-get it says what to install by hand.
mkdir "$tree/bin"
for tool in sh tr; do ln -s "$(command -v $tool)" "$tree/bin/"; done
PATH=$tree/bin CC=cc CXX=c++ refuses "$root/tools/install-deps"
says 'install-deps: this system has no apt-get.*gcc g\+\+ .*libcmocka-dev$'
