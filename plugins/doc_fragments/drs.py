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
      - Without it, the project O(project_name) is used. Its ID comes out of the token of a login, or is looked up in IAM with an access key.
      - If not set, the environment variable E(HW_PROJECT_ID) is used.
    type: str
  project_name:
    description:
      - Name of the project, when O(project_id) is not set. Default is the O(region), as its main project is called.
      - If not set, the environment variable E(HW_PROJECT_NAME) is used.
    type: str
  auth_method:
    description:
      - How to prove who you are. The guide R(Authentication,ansible_collections.huaweicloud.drs.docsite.guide_authentication) has an example for each way.
      - V(auto) takes the first of the others, in this order, for which all is set that it needs. Options of the task win over the environment as a set. If
        the task has some of them, nothing that is only in the environment is looked at, and a user name, password or key in the task is not
        completed from there.
      - V(auto) - The first one that is complete.
      - V(token) - O(auth_token). IAM is not called.
      - V(aksk) - O(access_key) and O(secret_key). Requests are signed. IAM is only asked for the project's ID if
        O(project_id) is not set.
      - V(password) - O(username), O(password) and O(domain_name). Every task makes one login, which gets a token.
      - V(profile) - The access key in the section C(basic) of C(~/.huaweicloud/credentials), or of the file in
        E(HUAWEICLOUD_SDK_CREDENTIALS_FILE).
      - V(agency) - The temporary access key of an ECS host that has an agency, from its metadata service. If that
        does not answer, it costs 3 seconds.
      - If not set, the environment variable E(HW_AUTH_METHOD) is used.
    type: str
    choices:
      - auto
      - token
      - aksk
      - password
      - profile
      - agency
    default: auto
  auth_token:
    description:
      - A token for the project, for example from M(huaweicloud.drs.iam_token).
      - When it turns out to be invalid and O(username), O(password) and O(domain_name) are set as well, these are used to log in once.
      - If not set, the environment variable E(HW_AUTH_TOKEN) is used.
    type: str
  access_key:
    description:
      - Access key ID (AK), permanent or temporary.
      - If not set, the environment variable E(HW_ACCESS_KEY) is used, or E(HUAWEICLOUD_SDK_AK) if neither E(HW_ACCESS_KEY) nor E(HW_SECRET_KEY) is set.
    type: str
  secret_key:
    description:
      - Secret access key (SK). It signs requests and is not sent itself.
      - If not set, the environment variable E(HW_SECRET_KEY) is used, or E(HUAWEICLOUD_SDK_SK) if neither E(HW_ACCESS_KEY) nor E(HW_SECRET_KEY) is set.
    type: str
  security_token:
    description:
      - Security token that comes with a temporary access key.
      - If not set, the environment variable E(HW_SECURITY_TOKEN) is used, or E(HUAWEICLOUD_SDK_SECURITY_TOKEN) if neither E(HW_ACCESS_KEY) nor
        E(HW_SECRET_KEY) is set.
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
      - Seconds that one attempt of a request may take, from the connection to the last byte of the answer.
      - If not set, the environment variable E(HW_TIMEOUT) is used.
    type: int
    default: 30
  max_retries:
    description:
      - How often a request is sent again where that is safe.
      - That is when the server refused it for the time being (HTTP 429 and 503), or when no connection could be made. The pause is the server's
        C(Retry-After), at most 60 seconds; without one it starts at half a second to one second and doubles each time.
      - A request that only reads is also sent again when its answer was lost, and after any other server error. A request that changes something
        is not, because it may have been carried out.
      - If not set, the environment variable E(HW_MAX_RETRIES) is used.
    type: int
    default: 4
  language:
    description:
      - Language of the error messages that DRS sends. Those of IAM are English.
    type: str
    choices:
      - en-us
      - zh-cn
    default: en-us
requirements:
  - requests
  - urllib3 >= 1.26, which requests brings along
  - huaweicloudsdkcore, for O(auth_method=aksk), O(auth_method=profile) and O(auth_method=agency) only
notes:
  - An option that is set to an empty value counts as not set, and so does an empty environment variable.
  - Environment variables are those of the host on which the module runs, which is the control node for C(localhost). Do not set secrets with the
    C(environment) keyword of a task or play. Ansible itself shows these with C(-vvv).
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
