/* <waiting-place data-every="5">: where somebody stands in line stays true, by asking the page itself every few seconds.
   Inside: one [data-state]. While that is "waiting" it is asked for; what comes instead is announced, and in the title.
   When the answer is another page, that is where to go.
   Without script the page is as it was, and a reload says what is so. */
class WaitingPlace extends HTMLElement {
  connectedCallback() {
    this.status = document.createElement("p");
    this.status.className = "hidden-text";
    this.status.setAttribute("role", "status");
    this.after(this.status);
    this.timer = setInterval(() => this.ask(), Number(this.dataset.every || 5) * 1000);
    this.look = () => document.hidden || this.ask();
    document.addEventListener("visibilitychange", this.look);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.look);
    this.status.remove();
  }

  get part() {
    return this.querySelector("[data-state]");
  }

  async ask() {
    if (this.isAsking || this.part.dataset.state !== "waiting") return;
    this.isAsking = true;
    try {
      const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
      if (answer.redirected) location.assign(answer.url);
      else if (answer.ok) this.show(await answer.text());
    } catch {
      // no network: the next time, then
    } finally {
      this.isAsking = false;
    }
  }

  show(html) {
    const part = new DOMParser().parseFromString(html, "text/html").querySelector("[data-state]");
    if (!part || !this.isConnected) return;
    const [before, after] = [this.part, part].map((each) => each.textContent.replace(/\s+/g, " ").trim());
    if (before === after) return;
    const hadFocus = this.contains(document.activeElement);
    this.part.replaceWith(part);
    const heading = this.querySelector("h1");
    this.status.textContent = document.title = heading.textContent.trim();
    if (!hadFocus) return;
    heading.tabIndex = -1;
    heading.focus();
  }
}

customElements.define("waiting-place", WaitingPlace);
