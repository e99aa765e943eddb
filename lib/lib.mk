# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# The library, in each variant.

LIB_SRCS := $(sort $(wildcard lib/*.c))
LIB_MAP := lib/libshmchan.map
LIB_SONAME := libshmchan.so.$(VERSION_MAJOR)
LIB_REAL := libshmchan.so.$(VERSION)

LIB_STATIC := $(B)/plain/libshmchan.a
LIB_SHARED := $(B)/plain/$(LIB_REAL)

lib: $(LIB_STATIC) $(LIB_SHARED) $(B)/plain/libshmchan.so

lib_objs = $(LIB_SRCS:%.c=$(B)/$(1)/%.o)

# The same objects, all position-independent, serve both libraries.
define lib_rules
$(B)/$(1)/lib/%.o: lib/%.c
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(call compile,$(1)) -Ilib -c -o $$@ $$<

$(B)/$(1)/libshmchan.a: $(call lib_objs,$(1))
	@rm -f $$@
	$$(call say,AR,$$@)$(AR) rcs $$@ $$^

$(B)/$(1)/$(LIB_REAL): $(call lib_objs,$(1)) $(LIB_MAP)
	$$(call say,LD,$$@)$$(call link,$(1)) -shared -Wl,-soname,$(LIB_SONAME) -Wl,-z,defs \
		-Wl,--version-script,$(LIB_MAP) -o $$@ $$(filter %.o,$$^)

$(B)/$(1)/libshmchan.so: $(B)/$(1)/$(LIB_REAL)
	@ln -sf $(LIB_REAL) $(B)/$(1)/$(LIB_SONAME)
	@ln -sf $(LIB_SONAME) $$@

-include $(patsubst %.o,%.d,$(call lib_objs,$(1)))
endef
$(foreach v,$(VARIANTS),$(eval $(call lib_rules,$(v))))
