# What people type. `make help` prints the lines that start with two hashes.

## make              build build/tunefarm and the libraries
all: $(BUILD)/tunefarm $(BUILD)/libtunefarm.a $(BUILD)/libtunefarm.so

$(BUILD)/tunefarm: $(call objects,cli/tunefarm-main.c) $(call archives,cli)
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(call libs,cli) -lm

## make test         the quick tests (under 5 minutes on 2 cores)
test: $(foreach m,$(TESTED),$(BUILD)/test/$(m))
	@sh tests/run.sh $^

## make test-MODULE  the tests of one module, e.g. make test-base
$(foreach m,$(MODULES),$(eval test-$(m): $(BUILD)/test/$(m) ; @$$<))

## make show-config  what was found on this machine
show-config:
	@echo "CC          $(CC) ($(shell $(CC) -dumpfullversion 2>/dev/null))"
	@echo "ccache      $(or $(CCACHE),not found)"
	@echo "sanitizers  $(or $(SANITIZE),none)"
	@echo "modules     $(MODULES)"

## make help         this list
help:
	@sed -n 's/^## //p' $(firstword $(filter %targets.mk,$(MAKEFILE_LIST)))

clean:
	rm -rf $(BUILD)
.PHONY: all test show-config help clean
