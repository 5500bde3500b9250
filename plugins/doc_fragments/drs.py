# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The options that every module shares, as in module_utils/_module.py.
    DOCUMENTATION = r"""
options:
  region:
    description:
      - The region, for example V(eu-west-101). It gives the endpoints of DRS and IAM and the name of the project, where these are not set.
      - If not set, the environment variable E(HW_REGION_NAME) is used.
    type: str
  endpoint:
    description:
      - Address of DRS, scheme and host only, for example V(https://drs.eu-west-101.myhuaweicloud.eu). Default is the one of O(region).
      - Plain C(http) is accepted for loopback addresses only.
      - If not set, the environment variable E(HW_DRS_ENDPOINT) is used.
    type: str
  iam_endpoint:
    description:
      - Address of IAM, for example V(https://iam.eu-west-101.myhuaweicloud.eu/v3), with or without the C(/v3). Default is the one of O(region).
      - If not set, the environment variable E(HW_AUTH_URL) is used.
    type: str
  project_id:
    description:
      - ID of the project in O(region). Required with O(auth_token).
      - Without it, a login is made to the project O(project_name), and the ID comes out of the token.
      - If not set, the environment variable E(HW_PROJECT_ID) is used.
    type: str
  project_name:
    description:
      - Name of the project, when O(project_id) is not set. Default is the O(region), as its main project is called.
      - If not set, the environment variable E(HW_PROJECT_NAME) is used.
    type: str
  auth_token:
    description:
      - A token for the project. With it, IAM is not called, and O(username), O(password) and O(domain_name) are not used.
      - If not set, the environment variable E(HW_AUTH_TOKEN) is used.
    type: str
  username:
    description:
      - Name of the IAM user to log in as.
      - If not set, the environment variable E(HW_USER_NAME) is used.
    type: str
  password:
    description:
      - Password of the IAM user.
      - If not set, the environment variable E(HW_USER_PASSWORD) is used.
    type: str
  domain_name:
    description:
      - Name of the account that the IAM user belongs to. IAM calls an account a domain.
      - If not set, the environment variable E(HW_DOMAIN_NAME) is used.
    type: str
    aliases:
      - account_name
  validate_certs:
    description:
      - Whether the certificates of the servers are verified.
      - If not set, the environment variable E(HW_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_cert:
    description:
      - Path of a file with the certificate authorities to trust in place of the system's.
      - If not set, the environment variable E(HW_CA_CERT) is used.
    type: path
  timeout:
    description:
      - Seconds to wait for a connection, for the start of an answer, and for the rest of it.
      - If not set, the environment variable E(HW_TIMEOUT) is used.
    type: int
    default: 30
  max_retries:
    description:
      - How often a request is sent again where that is safe.
      - That is when the server refused it for the time being (HTTP 429 and 503), or when no connection could be made. The pause is the server's
        C(Retry-After), at most 60 seconds; without one it starts at half a second to one second and doubles each time.
      - A request that only reads is also sent again when its answer was lost, and after any other server error. One that changes something never
        is, because it may have been carried out.
      - If not set, the environment variable E(HW_MAX_RETRIES) is used.
    type: int
    default: 4
  language:
    description:
      - Language of the messages that DRS sends.
    type: str
    choices:
      - en-us
      - zh-cn
    default: en-us
requirements:
  - requests
notes:
  - An option that is set to an empty value counts as not set, and so does an empty environment variable.
  - Proxies and certificate authorities from the environment (E(HTTPS_PROXY), E(NO_PROXY), E(REQUESTS_CA_BUNDLE)) are honoured. C(~/.netrc) is not.
"""

    # The attributes in which the modules do not differ.
    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
  action_group:
    description: Use C(group/huaweicloud.drs.drs) in C(module_defaults) to set the connection options of all modules of this collection once.
    support: full
    membership:
      - huaweicloud.drs.drs
"""
