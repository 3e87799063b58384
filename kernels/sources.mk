# Source digests: BLAKE2b-256 over the files of each kernel family, so that a record tells which code it measured. A family is a folder of
# kernels/cpu; KERNEL_ALSO_family names further folders whose code it is built from. Only names and contents enter, no host path. A folder FAMILY of
# kernels/cuda is the family cuda-FAMILY: its host code, its texts, the dialect, and what all share.
KERNEL_SHARED   := $(sort $(filter-out %-test.c,$(wildcard kernels/cpu/*.h kernels/cpu/*.inc)))
KERNEL_FAMILIES := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard kernels/cpu/*/*.c)))))
KERNEL_ALSO_conv := gemm
KERNEL_ALSO_cuda-conv := gemm

family_folders = $(addprefix kernels/cpu/,$(1) $(KERNEL_ALSO_$(1)))
family_files   = $(sort $(KERNEL_SHARED) $(filter-out %-test.c,$(foreach f,$(call family_folders,$(1)),$(wildcard $(f)/*.c $(f)/*.h $(f)/*.inc))))
CUDA_SHARED   := $(sort $(filter-out %-test.c %-test.h %-trial.h %-trial.c %-cost.h %-cost.c %-step.c,$(foreach e,c h cu cuh,$(wildcard kernels/cuda/*.$(e)))))
CUDA_FAMILIES := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard kernels/cuda/*/*.c)))))
CUDA_TEXTS    := $(sort $(foreach e,*.cuh *.cu *-args.h,$(wildcard kernels/cuda/$(e) kernels/cuda/*/$(e))))

cuda_folders = $(addprefix kernels/cuda/,$(1) $(KERNEL_ALSO_cuda-$(1)))
cuda_files   = $(sort $(CUDA_SHARED) $(filter-out %-test.c %-test.h,$(foreach f,$(call cuda_folders,$(1)),$(wildcard $(f)/*.c $(f)/*.h $(f)/*.inc $(f)/*.cu $(f)/*.cuh))))

digest_command = { for f in $(1); do echo "$$f"; cat "$$f"; done; } | b2sum -l 256 | cut -d' ' -f1
family_line    = printf 'X("%s", "%s")\n' $(1) "$$($(call digest_command,$(2)))";
KERNEL_SOURCES := $(BUILD)/gen/kernel-sources.inc

$(KERNEL_SOURCES): kernels/reference-tactic.c kernels/sources.mk $(foreach f,$(KERNEL_FAMILIES),$(call family_files,$(f))) $(foreach f,$(CUDA_FAMILIES),$(call cuda_files,$(f)))
	@mkdir -p $(@D)
	@{ $(foreach f,$(KERNEL_FAMILIES),$(call family_line,$(f),$(call family_files,$(f)))) \
	   $(foreach f,$(CUDA_FAMILIES),$(call family_line,cuda-$(f),$(call cuda_files,$(f)))) \
	   $(call family_line,reference,kernels/reference-tactic.c) } >$@.new && mv $@.new $@

$(BUILD)/obj/kernels/catalogue.o: $(KERNEL_SOURCES)
$(BUILD)/obj/kernels/catalogue.o: ALL_CFLAGS += -I$(BUILD)/gen

# Kernel texts as strings: X("name", "contents").
CUDA_EMBEDDED := $(BUILD)/gen/cuda-texts.inc
$(CUDA_EMBEDDED): $(CUDA_TEXTS) kernels/sources.mk
	@mkdir -p $(@D)
	@{ for f in $(CUDA_TEXTS); do printf 'X("%s",\n' "$$(basename $$f)"; \
	     sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo ')'; done; } >$@.new && mv $@.new $@

$(BUILD)/obj/kernels/cuda/cuda-text.o: $(CUDA_EMBEDDED)
$(BUILD)/obj/kernels/cuda/cuda-text.o: ALL_CFLAGS += -I$(BUILD)/gen
