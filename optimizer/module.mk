MODULES += optimizer
optimizer_DIR := optimizer
optimizer_DEPS := kernels operators problem base
