# SPDX-License-Identifier: MIT
$(eval $(call server,NAME))
