MODULES += cli
cli_DIR := cli
cli_DEPS := synth engine-build engine-link engine-run engine-format coordinator worker wire optimizer tactic-cache kernels operators device problem base
cli_LIBS := -ljansson
$(BUILD)/test/cli: | $(BUILD)/tunefarm $(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so # its tests run the command, also on the fake GPU
