MODULES += kernels
kernels_DIR := kernels
kernels_DEPS := operators problem base
