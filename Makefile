# neap: deep learning for Lua 5.4 with a C core.
#
#   make demo     installs what is needed, trains a network on real data
#   make test     installs what is needed, runs all specs
#   make          the module build/neap.so and the program build/neap

# --- settings ---------------------------------------------------------------
CC      = gcc
LUA     = lua5.4
BLAS    = openblas
ZLIB    = zlib
SAN     =
OPT     = -O2
SIMD_OPT = -O3
PREFIX  = /usr/local
LUA_CFLAGS = $(shell pkg-config --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
LUA_LIBS   = $(shell pkg-config --libs lua5.4 2>/dev/null || echo -llua5.4)
LIBDIR  = $(PREFIX)/lib/lua/5.4
BINDIR  = $(PREFIX)/bin
GOLDEN  = ../shared/golden
FAMILIES =
TARGET  = csv
TARGETS = $(patsubst spec/fuzz/%.c,%,$(filter-out %/fuzz.c,\
          $(wildcard spec/fuzz/*.c)))
SECONDS = 60
BENCH   = mlp mlp_tiny cnn resnet_small elementwise rows matmul_small \
          op_overhead startup
B       = build

# --- flags ------------------------------------------------------------------
WARN    = -Wall -Wextra -Wstrict-prototypes
FLAGS   = -std=c11 $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off \
          -pthread $(WARN) $(WERROR) -Isrc -I$(B)/gen
LIBS    = -lm -pthread
ifeq ($(BLAS),openblas)
  FLAGS += -DNX_BLAS $(shell pkg-config --cflags openblas 2>/dev/null)
  LIBS  += $(shell pkg-config --libs openblas 2>/dev/null || echo -lopenblas)
endif
ifeq ($(ZLIB),zlib)
  FLAGS += -DNX_ZLIB
  LIBS  += -lz
endif
ifneq ($(SAN),)
  FLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all \
           -fno-omit-frame-pointer
  LIBS  += -fsanitize=$(SAN)
endif

# --- files ------------------------------------------------------------------
FOLDERS = base simd tensor io grad op nn optim plan api
LEFT_OUT =
MODELS  =
CORE    = $(filter-out $(LEFT_OUT),\
          $(wildcard $(patsubst %,src/%/*.c,$(FOLDERS))))
BINDING = $(wildcard src/lua/*.c)
name    = $(B)/$(subst /,_,$(patsubst src/%.c,%,$(1))).o
CORE_O  = $(foreach f,$(CORE),$(call name,$(f))) \
          $(patsubst %,$(B)/gen_%.o,ops layers $(if $(filter optim,$(FOLDERS)),optims))
LUA_O   = $(foreach f,$(BINDING),$(call name,$(f))) $(B)/gen_files.o
LUA_FILES = $(shell find lua -name '*.lua')

.PHONY: all lib-infer lib-models lib-of-models single deps demo test specs-of-program fuzz fuzzer replay replayers golden bench lint install clean lib rock rock-install print-libs
.DELETE_ON_ERROR:

all: $(B)/neap.so $(B)/neap

lib: $(B)/libneap.a
lib-of-models: $(B)/libneap_models.a

# Inference alone: no Lua, no BLAS, no gradients, losses, linear algebra or
# readers of data, vectors for float only; small rather than fast for every
# processor. Link with -Wl,--gc-sections.
LEARNING = src/api/train.c src/nn/loss.c src/grad/picture.c \
  src/tensor/lapack.c \
  $(patsubst %,src/op/%.c,ctc entropy nll margin likelihood penalty \
    recurrencegrad attentionback convolvekernel factors solve matrices \
    orthogonal) \
  $(patsubst %,src/io/%.c,csv idx npy zip columns vocabulary number)
INFER = $(MAKE) --no-print-directory B=$(B)/infer BLAS=none ZLIB=none SAN= \
  SIMD_OPT=-Os OPT="-Os -DNX_INFER -DNX_SMALL -ffunction-sections \
  -fdata-sections -fno-asynchronous-unwind-tables \
  -Wno-unused-function -Wno-unused-const-variable" \
  FOLDERS="base simd tensor io grad op nn plan api" LEFT_OUT="$(LEARNING)"

lib-infer:
	+@$(INFER) lib
	@$(MAKE) --no-print-directory $(B)/libneap_infer.so

# The same with only the operations that some models call:
#   make lib-models MODELS="net.safetensors ..."
lib-models:
	@[ -n "$(MODELS)" ] || { echo 'MODELS="net.safetensors ..." is missing'; \
	  exit 1; }
	+@$(INFER) lib-of-models
	cp $(B)/infer/libneap_models.a $(B)

# Two runs of the specs ask for these at once: what is there is left alone.
$(B)/libneap_infer.a: $(B)/infer/libneap.a
	cp $< $@

$(B)/libneap_infer.so: $(B)/libneap_infer.a
	$(CC) -shared -o $@ -Wl,--whole-archive $< -Wl,--no-whole-archive \
	  -lm -pthread

# One relocatable object whose inner names are local: a host's own functions
# cannot take the place of ours.
$(B)/libneap.a: $(CORE_O)
$(B)/libneap_models.a: $(filter-out $(B)/gen_%,$(CORE_O)) \
  $(B)/few_ops.o $(B)/few_layers.o
$(B)/libneap.a $(B)/libneap_models.a:
	ld -r -o $(@:.a=.o) $^
	objcopy --localize-hidden $(@:.a=.o)
	rm -f $@
	ar rcs $@ $(@:.a=.o)

# The core as neap.c and neap.h, to be compiled with a host's own files.
single: $(B)/single/neap.c $(B)/single/neap.h

$(B)/single/neap.c: $(B)/gen/ops.h $(wildcard src/*/*.h) src/gen/join.lua
	@mkdir -p $(@D)
	$(LUA) src/gen/join.lua $@ src $(B)/gen \
	  $(sort $(CORE)) $(B)/gen/ops.c $(B)/gen/layers.c $(B)/gen/optims.c

$(B)/single/neap.h: src/neap.h
	@mkdir -p $(@D)
	cp $< $@

$(B)/neap.so: $(CORE_O) $(LUA_O)
	$(CC) -shared -o $@ $^ $(LIBS)

$(B)/neap: $(CORE_O) $(LUA_O) $(B)/main.o
	$(CC) -Wl,-E -o $@ $^ $(LUA_LIBS) $(LIBS)

# Settings are a file, so that changing one builds everything anew.
$(B)/settings: FORCE
	@mkdir -p $(B)/gen
	@echo '$(CC) $(FLAGS) $(LUA_CFLAGS)' | cmp -s - $@ || \
	 echo '$(CC) $(FLAGS) $(LUA_CFLAGS)' > $@
FORCE:

$(B)/gen/ops.h: src/gen/gather.lua $(CORE) $(B)/settings
	$(LUA) src/gen/gather.lua src $(B)/gen $(LEFT_OUT)
	@touch $@
$(B)/gen/ops.c $(B)/gen/layers.c $(B)/gen/optims.c: $(B)/gen/ops.h

# what some models call; a file that would not change is left alone
$(B)/few/ops.c: FORCE
	@mkdir -p $(@D)
	$(LUA) src/gen/gather.lua src $(@D) $(LEFT_OUT) $(MODELS)
$(B)/few/layers.c: $(B)/few/ops.c

$(B)/gen/files.c: src/gen/embed.lua $(LUA_FILES) $(B)/settings
	$(LUA) src/gen/embed.lua $@ lua

$(B)/gen_%.o: $(B)/gen/%.c $(B)/gen/ops.h $(B)/settings
	$(CC) $(FLAGS) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/few_%.o: $(B)/few/%.c $(B)/settings
	$(CC) $(FLAGS) -c -o $@ $<

define compile
$(call name,$(1)): $(1) $(B)/gen/ops.h $(B)/settings
	$$(CC) $$(FLAGS) $(2) -MMD -MP -c -o $$@ $$<
endef
$(foreach f,$(filter-out src/simd/%,$(CORE)),$(eval $(call compile,$(f),)))
$(foreach f,$(filter src/simd/%,$(CORE)),$(eval $(call compile,$(f),$$(SIMD_OPT))))
$(foreach f,$(BINDING) src/main.c,\
  $(eval $(call compile,$(f),$$(LUA_CFLAGS))))

-include $(wildcard $(B)/*.d)

# --- what people run --------------------------------------------------------
deps:
	@sh src/gen/deps.sh $(BLAS) $(ZLIB)

demo: deps
	@$(MAKE) --no-print-directory all
	$(B)/neap examples/fashion_mlp.lua

# What specs build is there before: they run twice at the same time.
test: deps
	@$(MAKE) --no-print-directory all lib lib-infer single replayers
	@sh spec/support/run.sh $(B) $(LUA)

# The specs through build/neap alone: how sanitized builds are tested. Lua
# itself leaks nothing, so leaks are ours.
specs-of-program: $(B)/neap
	@NEAP_ONLY_PROGRAM=1 ASAN_OPTIONS=detect_leaks=1 \
	 sh spec/support/run.sh $(B) $(LUA)

# Hostile input for a reader, with clang's fuzzer under its sanitizers; what
# it finds to be new goes to the corpus, which 'replay' runs.
fuzz:
	@$(MAKE) --no-print-directory CC=clang B=build/fuzz BLAS=none \
	  SAN=address,undefined SIMD_OPT=-O1 \
	  OPT="-O1 -DNX_SMALL -fsanitize=fuzzer-no-link" fuzzer
	@mkdir -p build/corpus/$(TARGET)
	build/fuzz/fuzz_$(TARGET) -max_total_time=$(SECONDS) -max_len=4096 \
	  -print_final_stats=1 -artifact_prefix=build/ build/corpus/$(TARGET) spec/fuzz/corpus/$(TARGET)

fuzzer: $(CORE_O)
	$(CC) $(FLAGS) -I. -fsanitize=fuzzer -o $(B)/fuzz_$(TARGET) \
	  spec/fuzz/fuzz.c spec/fuzz/$(TARGET).c $^ $(LIBS)

replayers: $(foreach t,$(TARGETS),$(B)/replay_$(t))

replay: replayers
	@for t in $(TARGETS); do \
	  echo "$$t: $$($(B)/replay_$$t spec/fuzz/corpus/$$t/*)" || exit 1; done

$(B)/replay_%: spec/fuzz/%.c spec/fuzz/fuzz.c $(CORE_O)
	$(CC) $(FLAGS) -I. -DREPLAY -o $@ $^ $(LIBS)

golden: all
	$(B)/neap spec/reference/golden.lua $(GOLDEN) $(FAMILIES)

bench: all
	LUA_PATH="./?.lua;;" $(B)/neap spec/bench/run.lua $(BENCH)

lint:
	@$(MAKE) --no-print-directory B=$(B)/lint WERROR=-Werror all
	$(LUA) src/gen/layers.lua src
	luacheck -q lua src/gen spec examples

install: all
	mkdir -p $(DESTDIR)$(LIBDIR) $(DESTDIR)$(BINDIR)
	install -m 755 $(B)/neap.so $(DESTDIR)$(LIBDIR)/neap.so
	install -m 755 $(B)/neap $(DESTDIR)$(BINDIR)/neap

# what LuaRocks calls: only the module
rock: $(B)/neap.so
rock-install: rock
	mkdir -p $(LIBDIR)
	install -m 755 $(B)/neap.so $(LIBDIR)/neap.so

print-libs:
	@echo $(LIBS)

clean:
	rm -rf $(B)
