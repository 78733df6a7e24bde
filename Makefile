# GreenPi. `make help` lists the targets.

BUILD  ?= build
PREFIX ?= /usr
CC     ?= gcc
SAN    ?=

# A sanitizer build never shares objects with a plain one.
comma := ,
O := $(BUILD)$(if $(SAN),/$(subst $(comma),-,$(SAN)),/release)

DAEMONS := lbd vipd edged healthd
DIR_lbd := lb
DIR_vipd := vipd
DIR_edged := edge
DIR_healthd := healthd
DIR_greenpictl := ctl
PROGRAMS := $(DAEMONS) greenpictl

PKGS_common  := inih libsystemd libxxhash
PKGS_vipd    := libnl-3.0 libnl-route-3.0
PKGS_healthd := libcurl libmariadb
PKGS_ALL     := $(PKGS_common) $(PKGS_vipd) $(PKGS_healthd)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
	-Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wconversion -Wno-sign-conversion \
	-Wnull-dereference
ifeq ($(findstring clang,$(CC)),)
WARN += -Wduplicated-cond -Wduplicated-branches -Wlogical-op
endif
ifdef CI
WARN += -Werror
endif

OPT := $(if $(SAN),-O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all,-O2 -g -D_FORTIFY_SOURCE=2)
# 64-bit file offsets and times on 32-bit boards too.
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
CFLAGS += -std=gnu17 $(OPT) -fstack-protector-strong -fPIE -pthread $(WARN)
LDFLAGS += -pie -Wl,-z,relro,-z,now -pthread $(if $(SAN),-fsanitize=$(SAN))

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS_ALL) 2>/dev/null)
LIBS_common := $(shell pkg-config --libs $(PKGS_common) 2>/dev/null) -lev -lm
LIBS_vipd := $(shell pkg-config --libs $(PKGS_vipd) 2>/dev/null)
LIBS_healthd := $(shell pkg-config --libs $(PKGS_healthd) 2>/dev/null)
LIBS_lbd :=
LIBS_edged :=
LIBS_greenpictl :=

COMMON_SRC := $(wildcard common/*/*.c common/*.c)
COMMON_OBJ := $(COMMON_SRC:%.c=$(O)/%.o)
COMMON_LIB := $(O)/libcommon.a
UNIT_SRC := $(wildcard test/unit/*_test.c)
UNIT_BIN := $(UNIT_SRC:test/unit/%.c=$(O)/unit/%)

.PHONY: all unit clean
all: $(PROGRAMS:%=$(O)/%)

# A program is its folder; all but main.c is also an archive that unit tests link.
define program
$(1)_SRC := $$(wildcard $$(DIR_$(1))/*.c)
$(1)_OBJ := $$($(1)_SRC:%.c=$(O)/%.o)
$(1)_LIB := $(O)/lib$(1).a
$$($(1)_OBJ): INCLUDES := -Icommon -I$$(DIR_$(1))
$$($(1)_LIB): $$(filter-out %/main.o,$$($(1)_OBJ))
$(O)/$(1): $(O)/$$(DIR_$(1))/main.o $$($(1)_LIB) $(COMMON_LIB)
	$$(CC) $(LDFLAGS) -o $$@ $$^ $$(LIBS_$(1)) $(LIBS_common)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(COMMON_OBJ): INCLUDES := -Icommon
$(O)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(COMMON_LIB): $(COMMON_OBJ)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

# Unit tests: test/unit/x_test.c includes and links everything it needs from common, and from the one daemon
# that a line "// TEST-OF: lb" names.
$(O)/unit/%: test/unit/%.c $(COMMON_LIB)
	@mkdir -p $(@D)
	@d=$$(sed -n 's,^// TEST-OF: *,,p' $<); \
	case "$$d" in lb) p=lbd ;; edge) p=edged ;; ctl) p=greenpictl ;; *) p=$$d ;; esac; \
	lib=; libs=; [ -z "$$p" ] || { lib=$(O)/lib$$p.a; $(MAKE) --no-print-directory $$lib || exit 1; }; \
	case "$$p" in vipd) libs="$(LIBS_vipd)" ;; healthd) libs="$(LIBS_healthd)" ;; esac; \
	set -x; $(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Icommon $${d:+-I$$d} -MMD -MP -o $@ $< \
		$$lib $(COMMON_LIB) $$libs $(LIBS_common) -lcmocka $(LDFLAGS)

unit: $(UNIT_BIN)
	@set -e; for t in $^; do echo "== $$t"; $$t; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(O) -name '*.d' 2>/dev/null)
