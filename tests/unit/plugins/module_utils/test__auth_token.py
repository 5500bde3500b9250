# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_token import TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    InvalidOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    PROJECT_ID,
    PROJECT_TOKEN,
    REGION,
    TOKEN,
    shown,
)


class TestTokenAuth:
    def test_iam_is_not_called(self, cloud):
        http = HttpClient()
        auth = select_auth(AuthOptions(region=REGION, **PROJECT_TOKEN))
        auth.authenticate(http)
        assert isinstance(auth, TokenAuth)
        assert (auth.project_id, len(cloud.calls)) == (PROJECT_ID, 0)
        assert http.secrets == {TOKEN}

    @pytest.mark.parametrize("token", [f"{TOKEN}\n", "MII********", "two words", "tök", "tok\x00en"])
    def test_invalid_characters_are_not_shown(self, token):
        with pytest.raises(InvalidOptionError, match="auth_token") as caught:
            select_auth(AuthOptions(region=REGION, auth_token=token, project_id=PROJECT_ID))
        assert token.strip() not in shown(caught.value)
