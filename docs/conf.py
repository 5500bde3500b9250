# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of Sphinx for the documentation site: ``make docs``."""

from __future__ import annotations

from docutils import nodes

project = "huaweicloud.drs"
html_title = "huaweicloud.drs"
extensions = ["sphinx_antsibull_ext"]

pygments_style = "ansible"
highlight_language = "YAML+Jinja"
# Otherwise, Sphinx turns the two hyphens of an option into a dash.
smartquotes = False

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_copy_source = False

# The labels of Ansible's documentation that the generated pages refer to. The usual way, intersphinx, would download an
# inventory with each build.
ANSIBLE = "https://docs.ansible.com/ansible/latest/reference_appendices"
LABELS = {
    "ansible_configuration_settings": f"{ANSIBLE}/config.html",
    "common_return_values": f"{ANSIBLE}/common_return_values.html",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": (
        f"{ANSIBLE}/config.html#envvar-ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"
    ),
}


def _refer_to_ansible(app, env, node, content):
    """Return the link for a label of Ansible's documentation, or None: Sphinx then warns of an unknown label."""
    url = LABELS.get(node["reftarget"])
    return nodes.reference("", "", content, internal=False, refuri=url) if url else None


def setup(app):
    app.connect("missing-reference", _refer_to_ansible)
