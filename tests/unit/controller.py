# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mark of a process of Ansible's controller.

From ansible-core 2.19 on, importing the controller's part sets it, for example from a filter. The tests of modules need
the opposite, so the mark is set only while a test of an inventory runs.
"""

from __future__ import annotations

try:
    from ansible.module_utils import _internal
    from ansible.template import is_trusted_as_template  # pylint: disable=unused-import  # used by inventory.py
except ImportError:  # before ansible-core 2.19
    _internal, is_trusted_as_template, CONTROLLER = None, None, {}
else:
    _TARGET = {
        "is_controller": False,
        "import_controller_module": lambda name: None,
        "get_controller_serialize_map": lambda: {},
    }
    CONTROLLER = {name: getattr(_internal, name) for name in _TARGET}
    for _name, _value in _TARGET.items():
        setattr(_internal, _name, _value)
