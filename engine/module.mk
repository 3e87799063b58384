MODULES += engine-format engine-run engine-link engine-build
engine-format_DIR := engine/format
engine-format_DEPS := problem base
engine-run_DIR := engine/run
engine-run_DEPS := engine-format kernels operators device problem base
engine-link_DIR := engine/link
engine-link_DEPS := engine-format optimizer kernels operators problem base
engine-build_DIR := engine/build
engine-build_DEPS := engine-link engine-format optimizer wire kernels operators device problem base
engine-build_TEST_DEPS := engine-run
$(BUILD)/test/engine-build: | $(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so # its tests run sections for GPUs

# The runtime as a library: nothing but the runtime's folders, and of their symbols only farm_*.
runtime_archives := $(foreach m,engine-run engine-format kernels operators device problem base,$(BUILD)/lib/$(m).a)

$(BUILD)/libtunefarm.so: $(runtime_archives)
	$(CC) -shared $(LDFLAGS) -Wl,-soname,libtunefarm.so -Wl,-z,defs -o $@ \
	  -Wl,--whole-archive $(BUILD)/lib/engine-run.a -Wl,--no-whole-archive -Wl,--start-group $(filter-out %engine-run.a,$^) -Wl,--end-group -lsodium -lm

# One object, hidden symbols made local, so that a program may have an arena_alloc of its own.
$(BUILD)/libtunefarm.a: $(runtime_archives)
	$(LD) -r -o $(BUILD)/tunefarm-runtime.o --whole-archive $(BUILD)/lib/engine-run.a --no-whole-archive --start-group $(filter-out %engine-run.a,$^) --end-group
	objcopy --localize-hidden $(BUILD)/tunefarm-runtime.o
	@rm -f $@
	$(AR) rcs $@ $(BUILD)/tunefarm-runtime.o
