/* <unit-stepper data-currency="GBP">: − and + beside each number field, and the sum explained. Without it the fields work as they are. */
class UnitStepper extends HTMLElement {
  connectedCallback() {
    this.fields = [...this.querySelectorAll("input[type=number]")];
    this.total = this.querySelector("[data-total]");
    this.lines = this.querySelector("[data-lines]");
    this.closest("form").querySelector("[data-show-price]")?.remove(); // the sum is shown as it changes
    const { currency } = this.dataset;
    this.money = new Intl.NumberFormat("en-GB", { style: "currency", currency });
    this.exponent = this.money.resolvedOptions().maximumFractionDigits;
    this.fields.forEach((field) => this.addButtons(field));
    this.addEventListener("input", () => this.show());
    this.show();
  }

  addButtons(field) {
    const name = this.nameOf(field);
    const box = document.createElement("span");
    box.className = "stepper";
    field.replaceWith(box);
    box.append(this.button("−", `One ${name} less`, field, -1), field, this.button("+", `One ${name} more`, field, 1));
  }

  nameOf(field) {
    return this.querySelector(`label[for="${field.id}"]`).firstChild.textContent.trim();
  }

  button(sign, label, field, step) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "step";
    button.textContent = sign;
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => {
      field.value = Math.min(Math.max(Number(field.value) + step, Number(field.min)), Number(field.max));
      this.show();
    });
    return button;
  }

  show() {
    const counted = this.fields.filter((field) => Number(field.value) > 0);
    const amount = (field) => Number(field.value) * Number(field.dataset.price);
    this.lines.replaceChildren(...counted.map((field) => this.line(field, amount(field))));
    this.total.hidden = false;
    this.total.textContent = `Together ${this.text(counted.reduce((sum, field) => sum + amount(field), 0))}`;
  }

  line(field, minor) {
    const line = document.createElement("span");
    const [what, price] = [document.createElement("span"), document.createElement("span")];
    line.className = "line-part";
    price.className = "amount";
    what.textContent = `${field.value} × ${this.nameOf(field)}`;
    price.textContent = this.text(minor);
    line.append(what, price);
    return line;
  }

  text(minor) {
    return this.money.format(minor / 10 ** this.exponent);
  }
}

customElements.define("unit-stepper", UnitStepper);
