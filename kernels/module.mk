MODULES += kernels
kernels_DIR := kernels
kernels_DEPS := operators device problem base
include kernels/sources.mk
$(BUILD)/test/kernels: | $(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so $(BUILD)/libfakecublaslt.so # CUDA kernels run in the emulator
# 16 lanes on AVX2 (tests only): such vectors are passed inline, never between objects.
$(BUILD)/obj/kernels/%-wide-avx2.o: ALL_CFLAGS += -Wno-psabi
# Minutes each under sanitizers, and either never run here (AVX-512) or stand-ins of a source that is sanitized elsewhere.
$(BUILD)/obj/kernels/cpu/%-avx512.o $(BUILD)/obj/kernels/cpu/%-wide-avx2.o: SANITIZE_CFLAGS :=
