MODULES += device
device_DIR := device
device_NOT := device/fake/% # shared libraries of their own: the stand-ins of driver and compiler
device_DEPS := problem base
device_LIBS := -ldl

# The toolkit's headers, where they are found, let a test compare what is declared here with what NVIDIA declares. Nothing else uses them.
CUDA_INCLUDE := $(firstword $(wildcard $(foreach d,$(CUDA_HOME) $(CUDA_PATH) /usr/local/cuda /usr/local/cuda-*,$(d)/include/cuda.h)))
$(BUILD)/obj/device/%-abi-test.o: ALL_CFLAGS += $(if $(CUDA_INCLUDE),-DHAVE_CUDA_HEADERS -isystem $(dir $(CUDA_INCLUDE)))

-include device/fake/module.mk
# Its tests use them where they are; nothing else of the module does.
$(BUILD)/test/device: | $(if $(wildcard device/fake/module.mk),$(BUILD)/libfakecuda.so $(BUILD)/libfakenvrtc.so)
