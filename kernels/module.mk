MODULES += kernels
kernels_DIR := kernels
kernels_DEPS := operators problem base
include kernels/sources.mk
# 16 lanes on AVX2 (tests only): such vectors are passed inline, never between objects.
$(BUILD)/obj/kernels/%-wide-avx2.o: ALL_CFLAGS += -Wno-psabi
