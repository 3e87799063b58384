# The driver and the compiler for machines without a GPU: two shared libraries, and their tests. Nothing of the product links them.
MODULES += fake-cuda
fake-cuda_DIR := device/fake
fake-cuda_DEPS := device problem base
fake-cuda_LIBS := -ldl
fake-cuda_TEST_DEPS := kernels

# Threads of a kernel have stacks that sanitizers know nothing of.
$(BUILD)/obj/device/fake/%.o: SANITIZE_CFLAGS :=
$(BUILD)/obj/device/fake/%-test.o: SANITIZE_CFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)

# The emulator's headers as strings: X("name", "contents").
SIMT_TEXTS := $(BUILD)/gen/simt-texts.inc
$(SIMT_TEXTS): $(wildcard device/fake/simt*.h) device/fake/module.mk
	@mkdir -p $(@D)
	@{ for f in $(filter-out %-state.h %-grid.h,$(wildcard device/fake/simt*.h)); do printf 'X("%s",\n' "$$(basename $$f)"; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo ')'; done; } >$@.new && mv $@.new $@
$(BUILD)/obj/device/fake/nvrtc-compiler.o: $(SIMT_TEXTS)
$(BUILD)/obj/device/fake/nvrtc-compiler.o: ALL_CFLAGS += -I$(BUILD)/gen

FAKE_CUDA_OBJECTS  := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %-test.c %/fake-nvrtc.c,$(wildcard device/fake/fake*.c device/fake/simt*.c device/fake/fiber.c)))
FAKE_NVRTC_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,device/fake/fake-nvrtc.c $(filter-out %-test.c,$(wildcard device/fake/nvrtc*.c)))
$(BUILD)/libfakecuda.so: $(FAKE_CUDA_OBJECTS)
	$(CC) -shared -pthread -Wl,-z,defs -o $@ $^ -ldl
$(BUILD)/libfakenvrtc.so: $(FAKE_NVRTC_OBJECTS) $(BUILD)/lib/base.a
	$(CC) -shared $(LDFLAGS) $(if $(SANITIZE),,-Wl,-z$(comma)defs) -Wl,--exclude-libs,ALL -o $@ $^ -lsodium -lm

$(BUILD)/libfakecublaslt.so: $(BUILD)/obj/device/fake/cublaslt-fake.o $(BUILD)/lib/problem.a $(BUILD)/lib/base.a
	$(CC) -shared $(LDFLAGS) $(if $(SANITIZE),,-Wl,-z$(comma)defs) -Wl,--exclude-libs,ALL -o $@ $^ -lsodium -lm -ldl

FAKE_LIBRARIES := $(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so $(BUILD)/libfakecublaslt.so
all: $(FAKE_LIBRARIES)
$(foreach m,fake-cuda device kernels worker engine-link engine-run engine-build cli,$(BUILD)/test/$(m)): | $(FAKE_LIBRARIES)
fake: $(FAKE_LIBRARIES)
.PHONY: fake
comma := ,

# Tests compile kernels of their own; those of other modules find the libraries beside their binary, too.
SIMT_TEST_TEXTS := $(BUILD)/gen/simt-test-texts.inc
$(SIMT_TEST_TEXTS): $(wildcard device/fake/*-test.cu) device/fake/module.mk
	@mkdir -p $(@D)
	@{ for f in $(wildcard device/fake/*-test.cu); do printf 'X("%s",\n' "$$(basename $$f)"; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo ')'; done; } >$@.new && mv $@.new $@
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard device/fake/*-test.c)): $(SIMT_TEST_TEXTS)
$(BUILD)/obj/device/fake/%-test.o: ALL_CFLAGS += -I$(BUILD)/gen
