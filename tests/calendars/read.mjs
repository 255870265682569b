// Reads a calendar from standard input with the parser named first, and prints what it understood as JSON:
// [[uid, start, end, summary, status], …], instants in seconds.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";
import ical from "node-ical";

function readWithIcalJs(text) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  ICAL.TimezoneService.reset();
  for (const zone of calendar.getAllSubcomponents("vtimezone")) {
    ICAL.TimezoneService.register(new ICAL.Timezone(zone));
  }
  return calendar.getAllSubcomponents("vevent").map((component) => {
    const event = new ICAL.Event(component);
    const status = component.getFirstPropertyValue("status");
    return [event.uid, event.startDate.toUnixTime(), event.endDate.toUnixTime(), event.summary, status];
  });
}

function readWithNodeIcal(text) {
  const events = Object.values(ical.sync.parseICS(text)).filter((entry) => entry.type === "VEVENT");
  return events.map((event) => [
    event.uid, event.start.getTime() / 1000, event.end.getTime() / 1000, event.summary, event.status,
  ]);
}

const parsers = { "ical.js": readWithIcalJs, "node-ical": readWithNodeIcal };
process.stdout.write(JSON.stringify(parsers[process.argv[2]](readFileSync(0, "utf8"))));
