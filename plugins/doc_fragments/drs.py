# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # The shared options. They are defined in module_utils/_options.py.
    DOCUMENTATION = r"""
options:
  region:
    description:
      - The region, for example V(eu-west-101). It determines the DRS and IAM endpoints and the project name, unless
        these are set.
      - If not set, the environment variable E(HW_REGION_NAME) is used.
    type: str
  endpoint:
    description:
      - The DRS endpoint, with scheme and host only, for example V(https://drs.eu-west-101.myhuaweicloud.eu). Defaults
        to the endpoint of O(region).
      - Plain C(http) is accepted for loopback addresses only.
      - If not set, the environment variable E(HW_DRS_ENDPOINT) is used.
    type: str
  iam_endpoint:
    description:
      - The IAM endpoint, for example V(https://iam.eu-west-101.myhuaweicloud.eu/v3), with or without C(/v3). Defaults
        to the C(iam_endpoint) of the profile with O(auth_method=profile), to E(HUAWEICLOUD_SDK_IAM_ENDPOINT) if
        O(access_key) has the value of E(HUAWEICLOUD_SDK_AK), or else to the endpoint of O(region).
      - If not set, the environment variable E(HW_AUTH_URL) is used.
    type: str
  project_id:
    description:
      - ID of the project in O(region). Required with O(auth_token).
      - If not set, O(project_name) selects the project. Its ID is taken from the token after a login with a password,
        or looked up in IAM when an access key is used.
      - With an access key, and if neither this option nor O(project_name) is set, the C(project_id) of the profile is
        used with O(auth_method=profile), and E(HUAWEICLOUD_SDK_PROJECT_ID) if O(access_key) has the value of
        E(HUAWEICLOUD_SDK_AK). Another key may belong to another account, so it is not combined with this variable.
      - If not set, the environment variable E(HW_PROJECT_ID) is used.
    type: str
  project_name:
    description:
      - Name of the project, used if O(project_id) is not set. Defaults to the value of O(region), which is the name
        of the main project of the region.
      - If not set, the environment variable E(HW_PROJECT_NAME) is used.
    type: str
  auth_method:
    description:
      - The authentication method. For an example of each, see
        R(Authentication,ansible_collections.huaweicloud.drs.docsite.guide_authentication).
      - V(auto) selects the first method that is fully configured, in the order V(token), V(aksk), V(password),
        V(profile), V(agency). Options set in the task take precedence over environment variables as a group. If the
        task sets a token, key, user name or password, methods that are configured only in the environment are
        ignored, and a user name, password or key set in the task is never completed from the environment.
      - V(token) uses O(auth_token). IAM is called only if the token is rejected and a user is set, see O(auth_token).
      - V(aksk) signs requests with O(access_key) and O(secret_key). IAM is called only to look up the project ID, if
        O(project_id) is not set.
      - V(password) uses O(username), O(password) and O(domain_name). Each task logs in once to obtain a token, and
        again if the token is rejected, at most three times.
      - V(profile) uses the access key in the C(basic) section of C(~/.huaweicloud/credentials), or of the file named by
        E(HUAWEICLOUD_SDK_CREDENTIALS_FILE), and its C(project_id) and C(iam_endpoint) unless options or other
        environment variables set them.
      - V(agency) uses the temporary access key of an ECS host that has an agency, from the metadata service of the
        host. The key is renewed before it expires, and if it is rejected. If the service does not respond, the
        attempt takes 3 seconds.
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
      - If the token is rejected as invalid and O(username), O(password) and O(domain_name) are also set, in the task or
        in the environment, the module uses them to log in, at most three times. Set them only to the user for whom the
        token was issued.
      - If not set, the environment variable E(HW_AUTH_TOKEN) is used.
    type: str
  access_key:
    description:
      - Access key ID (AK), permanent or temporary.
      - If not set, the environment variable E(HW_ACCESS_KEY) is used, or E(HUAWEICLOUD_SDK_AK) if neither
        E(HW_ACCESS_KEY) nor E(HW_SECRET_KEY) is set.
    type: str
  secret_key:
    description:
      - Secret access key (SK). It signs requests and is never sent.
      - If not set, the environment variable E(HW_SECRET_KEY) is used, or E(HUAWEICLOUD_SDK_SK) if neither
        E(HW_ACCESS_KEY) nor E(HW_SECRET_KEY) is set.
    type: str
  security_token:
    description:
      - Security token of a temporary access key.
      - If not set, the environment variable E(HW_SECURITY_TOKEN) is used, or E(HUAWEICLOUD_SDK_SECURITY_TOKEN) if
        neither E(HW_ACCESS_KEY) nor E(HW_SECRET_KEY) is set.
    type: str
  username:
    description:
      - Name of the IAM user.
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
      - Whether to verify the TLS certificates of the servers.
      - If not set, the environment variable E(HW_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_cert:
    description:
      - Path to a file with the certificate authorities to trust instead of the system's.
      - If not set, the environment variable E(HW_CA_CERT) is used.
    type: path
  timeout:
    description:
      - Timeout in seconds for one attempt of a request, from the connection to the last byte of the response.
      - If not set, the environment variable E(HW_TIMEOUT) is used.
    type: int
    default: 30
  max_retries:
    description:
      - Maximum number of retries of a request. A request is retried only when that is safe.
      - Every request is retried if the server throttled it (HTTP 429), or if the connection could not be established or
        broke before the end of the TLS handshake. The delay is taken from C(Retry-After), up to 60 seconds. Without
        this header, it starts at a random value between half a second and one second and doubles with each retry.
      - Requests that only read are also retried after a lost response and after any server error (HTTP 5xx). Requests
        that change something and logins with a password are not, because they may have been carried out. HTTP 503 is no
        exception, because it is also the response of a gateway that lost the connection to its backend.
      - If not set, the environment variable E(HW_MAX_RETRIES) is used.
    type: int
    default: 4
  language:
    description:
      - Language of the error messages from DRS. Error messages from IAM are always in English.
    type: str
    choices:
      - en-us
      - zh-cn
    default: en-us
requirements:
  - requests
  - urllib3 >= 1.26, a dependency of requests
  - huaweicloudsdkcore, only for O(auth_method=aksk), O(auth_method=profile) and O(auth_method=agency)
notes:
  - An option or environment variable with an empty value counts as not set.
  - Environment variables are read on the host that runs the module, which is the control node for C(localhost). Do
    not set secrets with the C(environment) keyword of a task or play, because Ansible shows them with C(-vvv).
  - With C(-vvv), a line for each request is shown, without secrets. It contains the method, the URL, the status, the
    request ID, the duration, and the authentication method of the request. Modules return these lines as C(requests),
    of more than 2,000 only the first and the last.
  - Proxies and certificate authorities from the environment (E(HTTPS_PROXY), E(NO_PROXY), E(REQUESTS_CA_BUNDLE)) are
    used. C(~/.netrc) is ignored.
"""

    # The attributes that are described in the same words for all modules.
    ATTRIBUTES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff
      mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
  action_group:
    description:
      - Use C(group/huaweicloud.drs.drs) in C(module_defaults) to set the connection options of all modules of this
        collection once.
    support: full
    membership:
      - huaweicloud.drs.drs
"""
