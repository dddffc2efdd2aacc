import assert from "node:assert/strict";
import { test } from "node:test";

import { isMotherDuckPage } from "../../md_magic/display/static/sign_in_card.js";

for (const link of [
  "https://auth.motherduck.com/activate?user_code=ZSRQ-GJQS",
  "https://motherduck.com/",
  "https://app.motherduck.com/token-request?appName=md_magic",
]) {
  test(`a link: ${link}`, () => assert.equal(isMotherDuckPage(link), true));
}

for (const link of [
  "http://auth.motherduck.com/activate",
  "https://auth.motherduck.com.evil.example/activate",
  "https://notmotherduck.com/",
  "https://auth.motherduck.com:8443/activate",
  "https://ann@auth.motherduck.com/activate",
  "javascript:alert(1)//motherduck.com",
  "motherduck.com",
  "",
  null,
  undefined,
]) {
  test(`only text: ${link}`, () => assert.equal(isMotherDuckPage(link), false));
}
