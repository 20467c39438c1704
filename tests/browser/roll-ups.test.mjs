// Forty sessions that go to one bad place are one row, which opens to its incidents.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AxeBuilder } from "@axe-core/playwright";

import { launchBrowser, startOnLog, uploadLine } from "./egret.mjs";

const SESSIONS = 41;

/** An Envoy log in which executors upload 8 MiB each: all to one place, and the first to another, too. */
function log() {
  const upload = (number, authority) => uploadLine(number, {
    start_time: new Date(Date.UTC(2026, 0, 5, 9, number)).toISOString(),
    path: "/upload",
    authority,
    user_agent: "curl/8",
  });
  const all = Array.from({ length: SESSIONS }, (_, number) => upload(number, "drop.bad.example"));
  return [...all, upload(0, "drop.other.example")].join("\n") + "\n";
}

/** Waits until the log was read to its end. */
async function read(address) {
  for (let tries = 0; tries < 300; tries += 1) {
    const { items } = await (await fetch(`${address}v1/incidents?limit=100`)).json();
    if (items.length > SESSIONS) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail("the incidents did not come");
}

test("incidents are grouped by destination, a group opens to its incidents, and each tells of the others", async () => {
  const egret = await startOnLog("roll-ups", log(), `keep_events = "9999d"\n`);
  const browser = await launchBrowser();
  try {
    await read(egret.address);
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    const isAccessible = async (name) => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter((found) => ["serious", "critical"].includes(found.impact));
      assert.deepEqual(serious.map((found) => found.id), [], name);
    };

    await page.goto(`${egret.address}incidents`);
    await page.getByRole("button", { name: "By destination" }).click();
    await page.waitForURL(/group=destination/);
    const groups = page.getByRole("button", { name: /^Incidents about / });
    await groups.first().waitFor();
    assert.equal(await groups.count(), 2);
    const bad = page.getByRole("row").filter({ hasText: `${SESSIONS} incidents, ${SESSIONS} sessions` });
    await bad.getByRole("button", { name: "Incidents about bad.example" }).click();
    await page.waitForURL(/at=[0-9a-f]{32}/);
    const members = page.locator(".members li");
    await members.first().waitFor();
    assert.equal(await members.count(), 20);
    await isAccessible("the list by destination");
    await page.reload();
    await members.first().waitFor();
    assert.equal(await members.count(), 20, "a reload shows the same");

    await members.first().getByRole("link").click();
    const others = page.getByRole("link", { name: `One of ${SESSIONS} incidents about this destination` });
    await others.waitFor();
    await isAccessible("an incident that is one of many");
    await others.click();
    await page.waitForURL(/roll_up_of=/);
    await page.getByText(`${SESSIONS} incidents on this page`).waitFor();
    await page.getByRole("button", { name: "One roll-up" }).click();
    await page.getByText(`${SESSIONS + 1} incidents on this page`).waitFor();
    assert.deepEqual(complaints, [], "the page complained");
  } finally {
    await browser.close();
    await egret.end();
  }
});
