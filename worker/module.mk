MODULES += worker
worker_DIR := worker
worker_DEPS := kernels wire engine-run problem base
worker_TEST_DEPS := coordinator engine-build
