/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "port.h"

struct port port_table[PORT_MAX];
