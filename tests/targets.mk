# What people type. `make help` prints the lines that start with two hashes.

JOBS ?= $(shell nproc 2>/dev/null || echo 2)

## make                build build/tunefarm and the libraries
all: $(BUILD)/tunefarm $(BUILD)/libtunefarm.a $(BUILD)/libtunefarm.so

$(BUILD)/tunefarm: $(call objects,cli/tunefarm-main.c) $(call archives,cli)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,cli) -lm

## make demo           the main job, start to end, on this machine (installs what is missing first)
demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@sh tests/demo.sh $(BUILD)

## make test           the quick tests, under 5 minutes on 2 cores (installs what is missing first)
test: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUNDLE_GLIBC=own check-layers lint test-binaries gpu-bundle
	@$(MAKE) --no-print-directory test-run

## make test-slow      what is slower: whole models, faults, sanitizers, fuzzers
test-slow: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUNDLE_GLIBC=own all test-data test-binaries fuzzers gpu-bundle
	@$(MAKE) --no-print-directory test-slow-run

TEST_BINARIES := $(foreach m,$(TESTED),$(BUILD)/test/$(m))
TEST_SCRIPTS  := tests/end-to-end.sh tests/gpu-bundle.sh
test-binaries: all test-data $(TEST_BINARIES)
test-run: test-binaries
	@sh tests/run.sh $(BUILD) $(TEST_BINARIES) $(TEST_SCRIPTS)
test-slow-run: all test-data $(TEST_BINARIES) fuzzers
	@sh tests/run-slow.sh $(BUILD) $(TEST_BINARIES)

## make test-MODULE    the quick tests of one module, e.g. make test-base
$(foreach m,$(MODULES),$(eval test-$(m): $(BUILD)/test/$(m) test-data ; @$$<))

# The archives beside the checkout, unpacked once; tests that need them skip where they are absent.
SHARED ?= ../shared
test-data: $(patsubst $(SHARED)/data/%.tar.xz,build/data/.%,$(wildcard $(SHARED)/data/*.tar.xz))
build/data/.%: $(SHARED)/data/%.tar.xz
	@mkdir -p build/data
	tar -xJf $< -C build/data
	@touch $@

## make asan-test      the quick tests under AddressSanitizer and UndefinedBehaviorSanitizer
asan-test:
	@TUNEFARM_TEST_PATIENCE=6 $(MAKE) --no-print-directory -j$(JOBS) BUILD=build/asan SANITIZE=address,undefined CFLAGS="-O1 -g" test-run

## make tsan-test      the tests of threads and of the farm under ThreadSanitizer
TSAN_MODULES := base device wire tactic-cache coordinator sim worker engine-run
tsan-test:
	@TUNEFARM_TEST_PATIENCE=6 TSAN_OPTIONS=halt_on_error=1 $(MAKE) --no-print-directory -j$(JOBS) BUILD=build/tsan SANITIZE=thread CFLAGS="-O1 -g" \
	  TEST_BINARIES="$(foreach m,$(filter $(TSAN_MODULES),$(TESTED)),build/tsan/test/$(m))" tsan-run
tsan-run: test-data $(TEST_BINARIES)
	@sh tests/run.sh $(BUILD) $(TEST_BINARIES)

## make fuzz           every parser fuzzed for FUZZ_SECONDS (300) with libFuzzer
FUZZ_SECONDS ?= 300
FUZZ_SOURCES := $(shell find $(foreach m,$(MODULES),$($(m)_DIR)) -name '*-fuzz.c' | LC_ALL=C sort -u)
FUZZERS := $(patsubst %.c,build/fuzz/%,$(notdir $(FUZZ_SOURCES)))
fuzz: fuzzers
	@sh tests/fuzz.sh $(FUZZ_SECONDS) $(FUZZERS)
fuzzers: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build/fuzz CC=clang SANITIZE=address,undefined,fuzzer-no-link CFLAGS="-O1 -g" fuzzers-link
fuzzers-link: $(FUZZERS)
module_of = $(lastword $(foreach m,$(MODULES),$(if $(filter $($(m)_DIR)/%,$(1)),$(m))))
define fuzz_rule
build/fuzz/$(basename $(notdir $(1))): $(BUILD)/obj/$(1:.c=.o) $(call archives,$(call module_of,$(1)))
	@mkdir -p $$(@D)
	$(CC) -fsanitize=address,undefined,fuzzer $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(call libs,$(call module_of,$(1))) -lm
endef
ifeq ($(BUILD),build/fuzz)
$(foreach f,$(FUZZ_SOURCES),$(eval $(call fuzz_rule,$(f))))
endif

## make gpu-bundle     build/gpu-bundle: what runs on a bare CUDA machine (docs/gpu-check.md)
## make gpu-bundle-check  the bundle, and its script on the fake driver in an empty environment
include gpu-check/bundle.mk

## make bench          times of the kernels and of the synth models on this machine
bench: all
	@sh bench/run.sh $(BUILD)

## make check-layers   proves that every folder includes and calls only what it may
check-layers: $(foreach m,$(MODULES),$(BUILD)/lib/$(m).a)
	@printf '%s\n' $(foreach m,$(MODULES),'$(m)|$($(m)_DIR)|$(filter-out $(m),$(call all_deps,$(m)))') | sh tests/check-layers.sh $(BUILD)

## make lint           sizes of files, functions and lines, open ends
lint:
	@sh tests/lint.sh

## make install        into PREFIX (/usr/local), below DESTDIR
install: all
	install -D -m 755 $(BUILD)/tunefarm $(DESTDIR)$(PREFIX)/bin/tunefarm
	install -D -m 644 $(BUILD)/libtunefarm.a $(DESTDIR)$(PREFIX)/lib/libtunefarm.a
	install -D -m 755 $(BUILD)/libtunefarm.so $(DESTDIR)$(PREFIX)/lib/libtunefarm.so
	install -D -m 644 include/tunefarm.h $(DESTDIR)$(PREFIX)/include/tunefarm.h
	install -D -m 644 include/tunefarm_status.h $(DESTDIR)$(PREFIX)/include/tunefarm_status.h

## make show-config    what was found on this machine
show-config:
	@echo "CC          $(CC) ($(shell $(CC) -dumpfullversion 2>/dev/null || echo not found))"
	@echo "ccache      $(or $(CCACHE),not found)"
	@echo "sanitizers  $(or $(SANITIZE),none)"
	@echo "modules     $(MODULES)"
	@sh tests/show-cuda.sh
	@sh tests/deps.sh show

# Packages that are missing, by the distribution's names; DEPS=no refrains.
deps:
	@$(if $(filter no,$(DEPS)),:,sh tests/deps.sh install)

## make help           this list
help:
	@sed -n 's/^## //p' $(firstword $(filter %targets.mk,$(MAKEFILE_LIST)))

clean:
	rm -rf $(BUILD)
.PHONY: all demo test test-slow test-binaries test-run test-slow-run test-data asan-test tsan-test tsan-run fuzz fuzzers fuzzers-link bench check-layers lint install show-config deps help clean
