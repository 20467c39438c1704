// The analyst's way: open the dashboard of a demo, find the upload, read why, take it on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AxeBuilder } from "@axe-core/playwright";

import { launchBrowser, startDemo } from "./egret.mjs";

let egret;
let browser;
let page;
const complaints = [];

before(async () => {
  egret = await startDemo();
  browser = await launchBrowser();
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
});

after(async () => {
  await browser?.close();
  await egret?.end();
});

/** Nothing serious or critical by axe's rules. */
async function isAccessible(name) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter((found) => ["serious", "critical"].includes(found.impact));
  const list = serious.map((found) => `${found.id}: ${found.nodes.map((n) => n.html).join(" ")}`);
  assert.deepEqual(list, [], `axe finds something serious on ${name}`);
}

test("the analyst finds the upload, reads why, takes it on by keyboard, and a reload shows the same", async () => {
  await page.goto(egret.address);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await isAccessible("the overview");

  await page.keyboard.press("g");
  await page.keyboard.press("i");
  await page.waitForURL("**/incidents*");
  const row = page.getByRole("row").filter({ hasText: "exfil" }).or(
    page.getByRole("row").filter({ hasText: /MiB/ }),
  ).first();
  await row.waitFor();
  await isAccessible("the list of incidents");

  await row.getByRole("link").first().click();
  await page.waitForURL(/\/incidents\/[0-9a-f]{32}/);
  await page.getByRole("heading", { name: /why/i }).waitFor();
  const main = page.getByRole("main");
  for (const words of [/upload size/i, /normal|98 %/i, /prior/i, /T1048|T1567/]) {
    await main.getByText(words).first().waitFor();
  }
  await isAccessible("one incident");

  await page.keyboard.press("a");
  await main.getByText(/acknowledged/i).first().waitFor();

  const url = page.url();
  const before = await main.getByRole("heading").allInnerTexts();
  await page.goto(url);
  await main.getByText(/acknowledged/i).first().waitFor();
  assert.equal(page.url(), url);
  assert.deepEqual(await main.getByRole("heading").allInnerTexts(), before);
  assert.deepEqual(complaints, [], "the page or its policy complained");
});

test("every incident says in which stage it was judged, and explains itself", async () => {
  const { items } = await (await fetch(`${egret.address}v1/incidents`)).json();
  assert.ok(items.length >= 3, `the demo has ${items.length} incidents`);
  const stages = new Set();
  for (const { id } of items) {
    const incident = await (await fetch(`${egret.address}v1/incidents/${id}`)).json();
    const { findings, next_steps: steps, threshold } = incident.explanation;
    await page.goto(`${egret.address}incidents/${id}`);
    await page.getByRole("heading", { name: /why/i }).waitFor();
    const text = (await page.getByRole("main").innerText()).replaceAll(/\s+/g, " ");
    stages.add(incident.stage);
    assert.ok(text.includes(`stage: ${incident.stage}`), `${incident.title}: no stage in ${text}`);
    assert.ok(threshold > 0 && findings.length > 0 && steps.length > 0, incident.title);
    for (const words of [...findings.map((finding) => finding.words), steps[0]]) {
      assert.ok(text.includes(words.replaceAll(/\s+/g, " ")), `${words} is not in ${text}`);
    }
  }
  assert.ok(stages.has("priors"), `stages seen: ${[...stages]}`);
});

test("the state of the list is in its address", async () => {
  await page.goto(`${egret.address}incidents?status=open&status=acknowledged&q=leak`);
  await page.getByRole("table").waitFor();
  const url = page.url();
  await page.reload();
  await page.getByRole("table").waitFor();
  assert.equal(page.url(), url);
});

test("the dark page is as legible", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  for (const path of ["", "incidents", "destinations", "executors", "events", "suppressions"]) {
    await page.goto(egret.address + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await isAccessible(`/${path} in dark`);
  }
});
