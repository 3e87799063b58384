# tunefarm. `make help` lists the targets; `make show-config` prints what was found; every folder's part is its module.mk.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
SANITIZE ?=
DEPS     ?= yes
CCACHE   := $(shell command -v ccache)
export CCACHE_NOHASHDIR := 1# checkouts in other folders share what was compiled
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS   ?= -O2 -g
# No contraction by default: folding, packing and references give the same bits everywhere. Kernel files opt in by their suffix.
ALL_CFLAGS := -std=gnu17 $(WARNINGS) $(CFLAGS) -ffp-contract=off -fvisibility=hidden -fPIC -fno-math-errno -pthread -D_GNU_SOURCE
SANITIZE_CFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LDFLAGS  += -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# One suffix per instruction set; gcc 12's -march=native misreads new CPUs, so each is spelled out and chosen by CPUID.
ISA_avx2   := -O3 -mavx2 -mfma -mf16c -mbmi2 -ffp-contract=fast
ISA_avx512 := $(ISA_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512

# MODULES in the order of the story; NAME_DIR, NAME_NOT (left out), NAME_DEPS (direct), NAME_LIBS come from the module.mk files.
MODULES :=
include base/module.mk problem/module.mk device/module.mk operators/module.mk kernels/module.mk tactic-cache/module.mk optimizer/module.mk \
        cluster/module.mk synth/module.mk coordinator/module.mk worker/module.mk engine/module.mk cli/module.mk gpu-check/module.mk

sources = $(filter-out $($(1)_NOT) %-test.c %-fuzz.c %-main.c,$(shell find $($(1)_DIR) -name '*.c' | LC_ALL=C sort))
tests   = $(filter-out $($(1)_NOT),$(shell find $($(1)_DIR) -name '*-test.c' | LC_ALL=C sort))
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
closure = $(if $(strip $(1)),$(1) $(call closure,$(foreach d,$(1),$($(d)_DEPS))))
uniq    = $(if $(1),$(firstword $(1)) $(call uniq,$(filter-out $(firstword $(1)),$(1))))
all_deps = $(call uniq,$(call closure,$(1)))
archives = $(patsubst %,$(BUILD)/lib/%.a,$(call all_deps,$(1)))
libs     = $(call uniq,$(foreach d,$(call all_deps,$(1)),$($(d)_LIBS)))

define module_rules
$(BUILD)/lib/$(1).a: $$(call objects,$$(call sources,$(1)))
$(BUILD)/test/$(1): $$(call objects,$$(call tests,$(1)) $$(wildcard tests/kit/*.c)) $$(call archives,$(1) $$($(1)_TEST_DEPS))
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(call libs,$(1) $$($(1)_TEST_DEPS)) -lm
endef
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))
TESTED := $(foreach m,$(MODULES),$(if $(call tests,$(m)),$(m)))

$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

isa = $(or $(ISA_$(lastword $(subst -, ,$(basename $(notdir $(1)))))),)
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) $(SANITIZE_CFLAGS) $(call isa,$<) -MMD -MP -c -o $@ $<
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

include tests/targets.mk
