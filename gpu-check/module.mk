# What is taken to a machine with a GPU: bundle.mk puts it together (it needs every module), docs/gpu-check.md says how it is read. The
# module is the program that measures a device's limits.
MODULES += gpu-check
gpu-check_DIR := gpu-check
gpu-check_DEPS := kernels operators device problem base
gpu-check_LIBS := -ljansson
$(BUILD)/test/gpu-check: | $(FAKE_LIBRARIES)
