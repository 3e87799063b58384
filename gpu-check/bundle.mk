# `make gpu-bundle`: what gpu-check/module.mk describes, put together. Programs are linked once more, to find their libraries beside them.
BUNDLE := $(BUILD)/gpu-bundle
BUNDLE_MOST_MIB := 40
# Modules with tests tagged needs:gpu.
BUNDLE_TESTED := $(foreach m,$(TESTED),$(if $(shell grep -l 'needs:gpu' /dev/null $(call tests,$(m))),$(m)))
BUNDLE_PROGRAMS := $(BUILD)/bundle/bin/tunefarm $(BUILD)/bundle/bin/tunefarm-gpu-limits $(BUNDLE_TESTED:%=$(BUILD)/bundle/test/%)
BUNDLE_LINK = @mkdir -p $(@D); $(CC) $(LDFLAGS) -s -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib' -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(BUILD)/tunefarm-gpu-limits: $(call objects,gpu-check/gpu-limits-main.c) $(call archives,gpu-check)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,gpu-check) -lm
$(BUILD)/bundle/bin/tunefarm: $(call objects,cli/tunefarm-main.c) $(call archives,cli)
	$(BUNDLE_LINK) $(call libs,cli) -lm
$(BUILD)/bundle/bin/tunefarm-gpu-limits: $(call objects,gpu-check/gpu-limits-main.c) $(call archives,gpu-check)
	$(BUNDLE_LINK) $(call libs,gpu-check) -lm
define bundle_test_rule
$(BUILD)/bundle/test/$(1): $$(call objects,$$(call tests,$(1)) $$(wildcard tests/kit/*.c)) $$(call archives,$(1) $$($(1)_TEST_DEPS))
	$$(BUNDLE_LINK) $$(call libs,$(1) $$($(1)_TEST_DEPS)) -lm
endef
$(foreach m,$(BUNDLE_TESTED),$(eval $(call bundle_test_rule,$(m))))

gpu-bundle: $(BUNDLE_PROGRAMS) $(FAKE_LIBRARIES) test-data
	@sh gpu-check/make-bundle.sh $(BUILD) $(BUNDLE) $(BUNDLE_MOST_MIB)

gpu-bundle-check: gpu-bundle
	@GPU_BUNDLE=all sh tests/gpu-bundle.sh $(BUILD)
.PHONY: gpu-bundle gpu-bundle-check
