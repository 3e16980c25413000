# lenet: a LeNet-5 to train, serve, look into and trust. `make help` lists the targets.
# Objects live in build/<variant>/, so that plain and sanitised builds stand side by side.

VARIANT ?= release
# The GPU engine: 1 with it, 0 without, auto where nvcc is. The sanitised variants are without: what is not CUDA's own in it
# they see through tests/emulate.
CUDA    ?= auto
NVCC    ?= $(or $(shell command -v nvcc),$(wildcard /usr/local/cuda/bin/nvcc))
WITH_CUDA := $(if $(filter release,$(VARIANT)),$(if $(filter auto,$(CUDA)),$(NVCC),$(filter 1,$(CUDA))))
B := build/$(VARIANT)$(if $(filter 0,$(CUDA)),$(if $(NVCC),-cpu))

CFLAGS  ?= -O2 -g -ftree-vectorize
PKGS    := libmicrohttpd gnutls libcjson libpng libdeflate libjpeg libwebp nettle zlib
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
# The bits do not move: no contraction the code does not ask for, no reordering.
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. $(CPPFLAGS) $(WARN) -ffp-contract=off -fno-math-errno -pthread \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# The CUDA runtime is linked in, finds the driver by itself and is content without one; cuDNN is opened when asked for.
LIBS     = $(shell pkg-config --libs $(PKGS)) $(if $(WITH_CUDA),$(CUDA_HOME)/lib64/libcudart_static.a -ldl -lrt) -lm

SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread
SAN_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
override CFLAGS  += $(SAN_$(VARIANT))
override LDFLAGS += -pthread $(SAN_$(VARIANT))

# The CPU's arithmetic, kernels/cpu/isa_*.c, is compiled once an instruction set; which one runs is chosen at start.
ISAS := portable
ifeq ($(shell $(CC) -dumpmachine | cut -d- -f1),x86_64)
ISAS := portable avx2 avx512
endif
# Where GCC keeps what it has loaded for the next round of a loop, it runs out of registers, and the sums go to memory and back.
NO_COMMONING := $(shell $(CC) -fno-predictive-commoning -fsyntax-only -x c /dev/null 2>/dev/null && echo -fno-predictive-commoning)
ISA_avx2   := -mavx2 -mfma $(NO_COMMONING)
ISA_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512 $(NO_COMMONING)

# Kernels for the GPU: machine code for every architecture from 7.5 on that this nvcc knows, and PTX of the newest for those
# to come. As on the CPU, multiply and add are fused where the code says so, and nowhere else. CUDA_ARCHS="90" builds for one, quickly.
CUDA_HOME  ?= $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
CUDA_ARCHS ?= $(shell $(NVCC) --list-gpu-code | sed -n 's/^sm_\([0-9]*\)$$/\1/p' | sort -n | awk '$$1 >= 75')
NVCCFLAGS  ?= -O3
override NVCCFLAGS += -std=c++17 -I. -fmad=false --threads 2 -Xcompiler -Wall,-Wextra,-fno-exceptions,-fno-threadsafe-statics \
	$(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
	-gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))

# cuDNN is compiled against where its header is, and never linked.
CUDNN_H := $(firstword $(wildcard $(CUDA_HOME)/include/cudnn.h /usr/include/$(shell $(CC) -dumpmachine)/cudnn.h /usr/include/cudnn.h))

ISA_SOURCES  := $(wildcard kernels/cpu/isa_*.c)
NO_CUDA      := kernels/cuda/no_cuda.c
NO_CUDNN     := kernels/cudnn/no_cudnn.c
CUDA_SOURCES := $(filter-out $(NO_CUDA),$(wildcard kernels/cuda/*.c)) \
	$(if $(CUDNN_H),$(filter-out $(NO_CUDNN),$(wildcard kernels/cudnn/*.c)),$(NO_CUDNN))
CUDA_KERNELS := $(wildcard kernels/cuda/*.cu) $(if $(CUDNN_H),$(wildcard kernels/cudnn/*.cu))
SOURCES  := $(filter-out $(ISA_SOURCES),$(wildcard core/*.c core/*/*.c kernels/*.c kernels/cpu/*.c models/*.c models/*/*.c server/*.c server/*/*.c)) \
	$(if $(WITH_CUDA),$(CUDA_SOURCES),$(NO_CUDA))
MAINS    := models/commands/main.c server/main.c
LIB_OBJS := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAINS),$(SOURCES))) \
	$(foreach isa,$(ISAS),$(ISA_SOURCES:%.c=$(B)/%.$(isa).o)) $(if $(WITH_CUDA),$(CUDA_KERNELS:%.cu=$(B)/%.o))
HARD_PICTURES := $(patsubst %,$(B)/tests/pictures/%.o,camera canvas hard look shape surface surroundings)
UNIT_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/*.c)) $(HARD_PICTURES)
# What the end-to-end tests run beside the programs.
E2E_HELPERS := $(B)/lenetd-lost-gpu
# Every tests/fuzz/fuzz_NAME.c is a target: its corpus is replayed by `make test`, and `make fuzz TARGET=NAME` adds to it.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# Of the program and the daemon each links what it uses: a static library does the choosing.
LIB      := $(B)/liblenet.a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test unit test-aarch64 bench lab lab-1998 asan tsan fuzz deps check-layers check-format pictures-table gpu-bundle test-gpu bench-gpu \
	man install uninstall deb clean help

all: $(B)/lenet $(B)/lenetd ## build lenet and lenetd (build/release/)

# A line a file; V=1 shows the commands.
QUIET := $(if $(V),,@)

$(B)/libraries:
	@pkg-config --exists $(PKGS) || { echo 'Libraries are missing: make deps installs them.' >&2; exit 1; }
	@mkdir -p $(@D) && touch $@

$(B)/%.o: %.c | $(B)/libraries
	@mkdir -p $(@D) && echo "  compile $@"
	$(QUIET)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

define isa_rule
$(B)/%.$(1).o: %.c | $(B)/libraries
	@mkdir -p $$(@D) && echo "  compile $$@"
	$$(QUIET)$$(CC) $$(CFLAGS) -O3 -fno-var-tracking $$(ISA_$(1)) -DISA=$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

$(CUDA_SOURCES:%.c=$(B)/%.o) $(B)/tests/cudnn/test_plans.o: override CFLAGS += -isystem $(CUDA_HOME)/include $(CUDNN_H:%cudnn.h=-isystem %)
$(B)/%.o: %.cu | $(B)/libraries
	@mkdir -p $(@D) && echo "  compile $@"
	$(QUIET)$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

# What is compiled in through .incbin.
$(B)/core/builtin.o: models/best.bin core/digits.bin
$(B)/server/routes/page.o: $(wildcard web/*) docs/openapi.json

$(LIB): $(LIB_OBJS)
	@rm -f $@
	$(QUIET)$(AR) rcs $@ $^

LINK = @echo "  link    $@"; $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/lenet: $(B)/models/commands/main.o $(LIB)
	$(LINK)

$(B)/lenetd: $(B)/server/main.o $(LIB)
	$(LINK)

# The daemon over a GPU that is none: lost_gpu.o, named before the library, stands where that would have the CUDA engine.
$(B)/lenetd-lost-gpu: $(B)/server/main.o $(B)/tests/e2e/lost_gpu.o $(LIB)
	$(LINK)

# The daemon whose real card is lost when it is told so.
$(B)/lenetd-lost-card: $(B)/server/main.o $(B)/tests/gpu/lost_card.o $(LIB)
	$(LINK)

# The ceiling of lenetd in `make bench`.
$(B)/bench-bare: $(B)/tests/bench/bare.o
	$(LINK)

$(B)/bench-pictures: $(B)/tests/bench/pictures.o $(B)/tests/unit/pictures.o $(LIB)
	$(LINK)

# docs/pictures.md. Its letters come from FreeType, which nothing else uses.
$(B)/tests/pictures/glyphs.o: override CFLAGS += $(shell pkg-config --cflags freetype2 2>/dev/null)
$(B)/hard-pictures: LIBS += $(shell pkg-config --libs freetype2 2>/dev/null)
$(B)/hard-pictures: $(patsubst %.c,$(B)/%.o,$(wildcard tests/pictures/*.c)) $(LIB)
	$(LINK)

$(B)/unit-tests: $(UNIT_OBJS) $(LIB)
	$(LINK)

# The tests of the seam, which run on any engine, and those for a GPU.
GPU_TESTS   := $(wildcard tests/gpu/*.c) \
	$(addprefix tests/unit/,test.c engines.c golden.c test_engine.c test_engine_reference.c)
CUDNN_TESTS := tests/cudnn/fixture.c tests/cudnn/test_parts.c $(wildcard tests/cudnn/test_cudnn*.c)
# The GPU engine on a GPU that is not there (tests/emulate/emulate.h): its own objects, ahead of the library's.
EMULATED := $(patsubst %.c,$(B)/emulated/%.o,$(CUDA_SOURCES)) $(patsubst %.cu,$(B)/emulated/%.o,$(CUDA_KERNELS)) \
	$(patsubst %.cc,$(B)/%.o,$(wildcard tests/emulate/*.cc)) $(patsubst %.c,$(B)/emulated/%.o,$(wildcard tests/emulate/*.c)) \
	$(if $(CUDNN_H),$(CUDNN_TESTS:%.c=$(B)/emulated/%.o)) \
	$(patsubst %.c,$(B)/%.o,$(GPU_TESTS))
CXXFLAGS ?= -O3 -g
override CXXFLAGS += -std=c++17 -I. -Itests/emulate -include tests/emulate/device.h -Wall -Wextra -Wno-unknown-pragmas \
	$(if $(WERROR),-Werror) -ffp-contract=off -fno-math-errno $(SAN_$(VARIANT))

$(B)/emulated/%.o: %.c
	@mkdir -p $(@D) && echo "  compile $@"
	$(QUIET)$(CC) $(CFLAGS) -Itests/emulate -MMD -MP -c -o $@ $<

$(B)/emulated/%.o: %.cu
	@mkdir -p $(@D) && echo "  compile $@"
	$(QUIET)$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ -x c++ $<

$(B)/%.o: %.cc
	@mkdir -p $(@D) && echo "  compile $@"
	$(QUIET)$(CXX) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# The cuDNN of the emulated GPU: found by LD_LIBRARY_PATH, and it finds the emulation in the program.
FAKE_CUDNN := $(if $(CUDNN_H),$(B)/emulated/cudnn/libcudnn.so.9)
ifdef FAKE_CUDNN
$(FAKE_CUDNN) $(filter $(B)/emulated/kernels/cudnn/%.o $(CUDNN_TESTS:%.c=$(B)/emulated/%.o),$(EMULATED)): \
	override CFLAGS += -Itests/emulate $(CUDNN_H:%cudnn.h=-isystem %)
endif
$(B)/emulated/cudnn/libcudnn.so.9: tests/cudnn/fake_cudnn.c tests/cudnn/fake_compute.c
	@mkdir -p $(@D) && echo "  link    $@"
	$(QUIET)$(CC) $(CFLAGS) -O3 -fPIC -shared -MMD -MP -o $@ $(filter %.c,$^) -lm

$(B)/emulated-tests: $(EMULATED) $(LIB) | $(FAKE_CUDNN)
	@echo "  link    $@"
	$(QUIET)$(CXX) $(LDFLAGS) -rdynamic -o $@ $^ $(LIBS)

# The real cuDNN's plans, which want no GPU.
$(B)/cudnn-plans: $(B)/tests/cudnn/test_plans.o $(B)/tests/unit/test.o $(LIB)
	$(LINK)

# The tests of the seam on a GPU engine, and those that only a GPU is quick enough for.
$(B)/gpu-tests: $(patsubst %.c,$(B)/%.o,$(GPU_TESTS)) $(LIB)
	$(LINK)

$(B)/replay-%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(LIB)
	$(LINK)

$(B)/fuzz-%: LDFLAGS += -fsanitize=fuzzer
$(B)/fuzz-%: $(B)/tests/fuzz/fuzz_%.o $(LIB)
	$(LINK)

deps: ## install what is missing to build
	@docker/install-deps.sh build

run: deps ## install what is missing, build, serve a trained model at http://127.0.0.1:8080
	@$(MAKE) --no-print-directory all
	@exec $(B)/lenetd

test: ## install what the tests need, build, run every test
	@docker/install-deps.sh build test
	@tests/ops/tools $(CURDIR)/build/tools prometheus || echo 'There is no promtool: what needs it will be skipped.' >&2
	@$(MAKE) --no-print-directory all $(B)/unit-tests $(B)/emulated-tests $(if $(CUDNN_H),$(if $(WITH_CUDA),$(B)/cudnn-plans)) \
		$(E2E_HELPERS) $(FUZZ_TARGETS:%=$(B)/replay-%)
	@tests/run $(B)

unit: $(B)/unit-tests ## only the C unit tests
	$(B)/unit-tests

# docs/bench.md. BENCH_ARGS="--short" tries it.
bench: ## install what others need, measure lenet beside them on this CPU; ends in a table
	@docker/install-deps.sh build bench
	@tests/bench/install || echo 'npm brings no ONNX Runtime: what needs it will fail.' >&2
	@$(MAKE) --no-print-directory all $(B)/bench-bare $(B)/bench-pictures
	@python3 tests/bench/bench.py --build $(B) $(BENCH_ARGS)

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory test VARIANT=asan

tsan: ## the unit tests under ThreadSanitizer
	@$(MAKE) --no-print-directory unit VARIANT=tsan

# Cross-compiled, against Debian's libraries for that processor, and emulated.
AARCH64_ROOT := $(CURDIR)/build/aarch64-root
test-aarch64: ## the unit tests on an emulated aarch64
	@docker/install-deps.sh build aarch64
	@tests/aarch64/sysroot $(AARCH64_ROOT)
	@PKG_CONFIG_SYSROOT_DIR=$(AARCH64_ROOT) PKG_CONFIG_LIBDIR=$(AARCH64_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig \
		$(MAKE) --no-print-directory build/aarch64/unit-tests VARIANT=aarch64 CUDA=auto \
		CC='aarch64-linux-gnu-gcc --sysroot=$(AARCH64_ROOT)'
	TEST_SHORT=1 qemu-aarch64 -L $(AARCH64_ROOT) build/aarch64/unit-tests

TARGET  ?= png
SECONDS ?= 60
fuzz: ## clang's libFuzzer on one target: TARGET=png SECONDS=60; what it finds goes to build/fuzz/
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang build/fuzz/fuzz-$(TARGET)
	@mkdir -p build/fuzz/found/$(TARGET)
	build/fuzz/fuzz-$(TARGET) -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024 -max_len=262144 \
		-artifact_prefix=build/fuzz/$(TARGET)- build/fuzz/found/$(TARGET) tests/fuzz/corpus/$(TARGET)

lab: deps ## the lab from nothing: data, 50 trainings, figures; writes docs/lab.md
	@docker/install-deps.sh lab
	@$(MAKE) --no-print-directory all
	@docs/lab/run $(B) lab

lab-1998: deps ## the networks of 1998, three seeds each; their table in docs/lab.md
	@$(MAKE) --no-print-directory all
	@docs/lab/run $(B) 1998

# PICTURES_ARGS="--model FILE" for another model; more in hard-pictures' usage.
pictures-table: ## how many hard pictures of test digits are read, by condition; its tables in docs/pictures.md
	@docker/install-deps.sh build pictures
	@$(MAKE) --no-print-directory $(B)/hard-pictures
	@$(B)/hard-pictures --table --data tests/data --set test $(PICTURES_ARGS) >$(B)/pictures-table.md
	@awk -v block=$(B)/pictures-table.md '$$0 == "<!-- end -->" { inside = 0 } !inside { print } \
		/^<!-- made: / { inside = 1; while ((getline line < block) > 0) print line }' docs/pictures.md >$(B)/pictures.md
	@cp $(B)/pictures.md docs/pictures.md && cat $(B)/pictures-table.md

# docs/gpu.md. GPU_ARGS="--device cpu --short" tries both commands where there is no GPU.
# What fetches the data is a lenet without CUDA: no kernel is built for it.
gpu-bundle: deps ## what the next two need on a machine without a network, into build/gpu-bundle/
ifdef WITH_CUDA
	@$(MAKE) --no-print-directory gpu-bundle CUDA=0
else
	@$(MAKE) --no-print-directory -s $(B)/lenet
	@python3 tests/gpu/bundle.py --lenet $(B)/lenet build/gpu-bundle
endif

test-gpu: ## build for this machine's GPU and test its engines within 250 s; ends in a table
	@python3 tests/gpu/check.py $(GPU_ARGS)

bench-gpu: ## the same, and measure them beside PyTorch within 320 s; ends in a table
	@python3 tests/gpu/bench.py $(GPU_ARGS)

check-layers: ## who includes whom (docs/rooms.md)
	@tests/check-layers

check-format: ## all C is as .clang-format wants it
	@tests/check-format

# Flags stand in the pages as the programs list them (docs/man/fill.awk).
MAN := $(patsubst docs/man/%,$(B)/man/%,$(wildcard docs/man/*.[1-9]))
man: $(MAN) ## the manual pages: man -l build/release/man/lenetd.8

$(B)/man/%: docs/man/% docs/man/fill.awk $(B)/lenet $(B)/lenetd
	@mkdir -p $(@D) && echo "  fill    $@"
	$(QUIET)awk -v bin=$(B) -f docs/man/fill.awk $< >$@

PREFIX      ?= /usr/local
BINDIR      ?= $(PREFIX)/bin
DATADIR     ?= $(PREFIX)/share
MANDIR      ?= $(DATADIR)/man
COMPLETIONS ?= $(DATADIR)/bash-completion/completions
FISHDIR     ?= $(DATADIR)/fish/vendor_completions.d
ZSHDIR      ?= $(DATADIR)/zsh/site-functions
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
INSTALL_PROGRAM ?= install
INSTALL_DATA := install -m 644

install: all man ## into $(PREFIX), with DESTDIR before it; docs/operate.md says how to go on from there
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(COMPLETIONS) $(FISHDIR) $(ZSHDIR) \
		$(UNITDIR) $(SYSUSERSDIR) $(DATADIR)/lenet/models/sweeps)
	$(INSTALL_PROGRAM) $(B)/lenet $(B)/lenetd $(DESTDIR)$(BINDIR)
	$(foreach n,1 5 8,$(INSTALL_DATA) $(filter %.$(n),$(MAN)) $(DESTDIR)$(MANDIR)/man$(n) &&) true
	$(INSTALL_DATA) docs/completion.bash $(DESTDIR)$(COMPLETIONS)/lenet
	ln -sf lenet $(DESTDIR)$(COMPLETIONS)/lenetd
	$(INSTALL_DATA) docs/completion.fish $(DESTDIR)$(FISHDIR)/lenet.fish
	ln -sf lenet.fish $(DESTDIR)$(FISHDIR)/lenetd.fish
	$(INSTALL_DATA) docs/completion.zsh $(DESTDIR)$(ZSHDIR)/_lenet
	$(INSTALL_DATA) docker/systemd/lenetd.socket docker/systemd/lenetd.service $(DESTDIR)$(UNITDIR)
	sed -i 's|/usr/bin/|$(BINDIR)/|' $(DESTDIR)$(UNITDIR)/lenetd.service
	sed -i 's|/usr/share/|$(DATADIR)/|' $(DESTDIR)$(MANDIR)/man1/lenet.1
	$(INSTALL_DATA) docker/systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/lenetd.conf
	$(INSTALL_DATA) models/*.json models/*.bin $(DESTDIR)$(DATADIR)/lenet/models
	$(INSTALL_DATA) models/sweeps/*.json $(DESTDIR)$(DATADIR)/lenet/models/sweeps
	install -m 755 models/sweeps/slurm.sh $(DESTDIR)$(DATADIR)/lenet/models/sweeps

uninstall: ## what make install put there, with the same PREFIX and DESTDIR
	rm -f $(addprefix $(DESTDIR),$(BINDIR)/lenet $(BINDIR)/lenetd $(foreach p,$(notdir $(MAN)),$(MANDIR)/man$(subst .,,$(suffix $p))/$p) \
		$(COMPLETIONS)/lenet $(COMPLETIONS)/lenetd $(FISHDIR)/lenet.fish $(FISHDIR)/lenetd.fish $(ZSHDIR)/_lenet \
		$(UNITDIR)/lenetd.socket $(UNITDIR)/lenetd.service $(SYSUSERSDIR)/lenetd.conf)
	rm -rf $(DESTDIR)$(DATADIR)/lenet

deb: ## a Debian package into build/deb/
	@docker/install-deps.sh build deb
	@docker/debian/build build/deb

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

-include $(shell find $(B) -name '*.d' 2>/dev/null)
