# What a person types. Everything real is in meson.build; this finds the right words for it.
#
#   BUILD=build        the build folder            PREFIX=/usr/local, DESTDIR=  where install puts it
#   ARGS=              passed to demo, bench       T=base or T=base/rng  tests of one suite, or one
#   B=train            one benchmark
#   CC, CXX            the compilers, read when the build folder is made
BUILD ?= build
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
ARGS ?=
T ?=
SOURCES = git ls-files -co --exclude-standard '*.c' '*.h' '*.cpp'

.DEFAULT_GOAL = all
.PHONY: all demo test bench install format fuzz sanitize tidy clean help

all: ## build the optimized binary build/palate and the library (the default)
	@tools/install-deps --check
	@tools/build $(BUILD)

demo: ## install what is missing, build, and show everything on real or invented data
	@tools/install-deps
	@tools/build $(BUILD)
	@$(BUILD)/palate demo $(ARGS)

test: ## install what is missing, build, run all tests (T=base or T=base/rng for some)
	@tools/install-deps --test
	@tools/build $(BUILD)
	@tools/run-tests $(BUILD) $(T)

bench: ## build and run the benchmarks (B=train for one; ARGS are passed to it)
	@tools/install-deps
	@tools/build $(BUILD)
	@meson test -C $(BUILD) --benchmark --verbose --num-processes 1 \
		--test-args '$(ARGS)' $(B)

install: all ## put binary, library, header, pkg-config file and man page under PREFIX
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@tools/build $(BUILD)
	@meson install -C $(BUILD) --no-rebuild
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || true

format: ## rewrite the C sources in the project's shape
	@$(SOURCES) | xargs clang-format -i

fuzz: ## feed every parser with broken input for FUZZ_SECONDS each (clang)
	@tools/install-deps --dev
	@tools/fuzz build-fuzz $(FUZZ_SECONDS)

sanitize: ## run all tests under the address, undefined and thread sanitizers
	@tools/install-deps --test
	@tools/sanitize address,undefined
	@tools/sanitize thread

tidy: ## check lengths, format, leftovers and who includes whom
	@tools/tidy
	@tools/layers

clean: ## remove everything that was built
	@rm -rf build build-*

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile
