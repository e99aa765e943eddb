# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# One makefile for all: the parts are in the fragments that it includes.
# `make help` tells what there is.

B ?= build
CC ?= cc
CXX ?= c++
AR ?= ar

PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=

version_of = $(shell sed -n 's/^.define SHMCHAN_VERSION_$(1)[[:space:]]*//p' \
	     include/shmchan/version.h)
VERSION_MAJOR := $(call version_of,MAJOR)
VERSION_MINOR := $(call version_of,MINOR)
VERSION_PATCH := $(call version_of,PATCH)
VERSION := $(VERSION_MAJOR).$(VERSION_MINOR).$(VERSION_PATCH)

# Yours to override: make CFLAGS=-O3.  What the sources need is in BASE_*.
CFLAGS ?= -O2 -g
WARNINGS ?= -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes \
	    -Wpointer-arith -Wwrite-strings -Wundef -Wvla
BASE_CPPFLAGS := -Iinclude -Iinclude/uapi -D_GNU_SOURCE
BASE_CFLAGS := -std=gnu11 -fPIC -pthread -fno-common
DEPFLAGS = -MMD -MP

# A variant is a way to compile everything: build/VARIANT/...  Sanitizers come
# after CFLAGS, so that these cannot undo them.  Handles are checked in one of them
# (<shmchan/guard.h>); not in tsan, where that would order what nothing else does.
VARIANTS := plain asan tsan
VARIANT_plain :=
VARIANT_asan := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
		-fsanitize=address,undefined -DSHMCHAN_DEBUG
VARIANT_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread

# One line per file; make V=1 shows the commands.
ifeq ($(V),1)
say =
else
say = @printf '  %-5s %s\n' $(1) '$(2)';
endif

compile = $(CC) $(BASE_CPPFLAGS) $(CPPFLAGS) $(DEPFLAGS) $(BASE_CFLAGS) \
	  $(WARNINGS) $(CFLAGS) $(VARIANT_$(1))
link = $(CC) -pthread $(CFLAGS) $(VARIANT_$(1)) $(LDFLAGS)

.PHONY: all lib command install check-native lint clean help
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

all: lib command
command:

include lib/lib.mk
-include tools/tools.mk
include selftests/lib/tests.mk
-include selftests/crash/crash.mk
-include selftests/model/model.mk
-include selftests/fuzz/fuzz.mk
-include bench/bench.mk
-include examples/examples.mk
-include kmod/kmod.mk
-include scripts/scripts.mk

INSTALL ?= install
MAN_PAGES := $(wildcard docs/man/*.[1-8])

# One page for each noun, made of its header, and a link for each of its calls.
MAN3_HEADERS := $(filter-out $(addprefix include/shmchan/,atomic.h guard.h lane_copy.h \
		lane_layout.h shmchan.h spin.h version.h wire.h),$(wildcard include/shmchan/*.h))
MAN3_PAGES := $(MAN3_HEADERS:include/shmchan/%.h=$(B)/man/shmchan_%.3)

.PHONY: man
man: $(MAN3_PAGES)
$(B)/man/shmchan_%.3: include/shmchan/%.h scripts/man-page
	@mkdir -p $(@D)
	@scripts/man-page $< > $@

install: lib command man
	$(INSTALL) -d $(DESTDIR)$(INCLUDEDIR)/shmchan \
		$(DESTDIR)$(INCLUDEDIR)/linux $(DESTDIR)$(LIBDIR)/pkgconfig
	$(INSTALL) -m 644 include/shmchan/*.h $(DESTDIR)$(INCLUDEDIR)/shmchan/
	$(INSTALL) -m 644 include/uapi/linux/shmchan.h \
		$(DESTDIR)$(INCLUDEDIR)/linux/
	$(INSTALL) -m 644 $(LIB_STATIC) $(DESTDIR)$(LIBDIR)/
	$(INSTALL) -m 755 $(LIB_SHARED) $(DESTDIR)$(LIBDIR)/
	ln -sf $(LIB_REAL) $(DESTDIR)$(LIBDIR)/$(LIB_SONAME)
	ln -sf $(LIB_SONAME) $(DESTDIR)$(LIBDIR)/libshmchan.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		lib/libshmchan.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/libshmchan.pc
	@for page in $(MAN_PAGES); do \
		dir=$(DESTDIR)$(MANDIR)/man$${page##*.}; \
		$(INSTALL) -d $$dir && $(INSTALL) -m 644 $$page $$dir/ || exit 1; \
	done
	@dir=$(DESTDIR)$(MANDIR)/man3; $(INSTALL) -m 644 $(MAN3_PAGES) $$dir/ && \
	for header in $(MAN3_HEADERS); do \
		page=shmchan_$$(basename $$header .h); \
		for call in $$(scripts/man-page -n $$header); do \
			[ $$call = $$page ] || \
			echo ".so man3/$$page.3" > $$dir/$$call.3 || exit 1; \
		done; \
	done
	@for prog in $(COMMAND); do \
		$(INSTALL) -d $(DESTDIR)$(BINDIR) && \
		$(INSTALL) -m 755 $$prog $(DESTDIR)$(BINDIR)/ || exit 1; \
	done

lint: lib
	@B=$(B) scripts/lint

clean:
	rm -rf $(addprefix $(B)/,$(VARIANTS)) $(B)/lint $(B)/results

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

#: make [all]        the library, static and shared, and the command
#: make lib          the library alone
#: make install      to DESTDIR, PREFIX (/usr/local), LIBDIR
#: make check-native library tests on the local backend: plain, ASan+UBSan, TSan
#: make lint         clang-tidy, headers alone in C and C++, checkpatch, shellcheck
#: make man          man pages of the library's headers, in build/man
#: make clean
#: variables: B (build), CC, CFLAGS, LDFLAGS, TESTS (names), VARIANTS, V=1
