# SPDX-License-Identifier: MIT
$(eval $(call server,bench))
