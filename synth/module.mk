MODULES += synth
synth_DIR := synth
synth_DEPS := optimizer problem base
