MODULES += worker
worker_DIR := worker
worker_DEPS := kernels wire engine-run device problem base
worker_TEST_DEPS := coordinator engine-build
$(BUILD)/test/worker: | $(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so # its tests measure on the fake GPU
