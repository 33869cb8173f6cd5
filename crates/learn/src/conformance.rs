//! What every learner must do on odd data, written once and run over all of them, and the data the tests share.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidemill_domain::{
    Algorithm, Feature, FeatureKind, Output, Parameters, Schema, Target, TargetKind, Value,
};

use crate::{FitError, Model, Recipe, TrainRow, fit, space};

pub(crate) fn numeric(x: f64) -> Value {
    Value::Number(x)
}

pub(crate) fn text(s: &str) -> Value {
    Value::Text(s.to_owned())
}

pub(crate) fn schema(numeric: &[&str], categorical: &[&str], regression: bool) -> Schema {
    let feature =
        |name: &&str, kind: FeatureKind| Feature { name: (*name).to_owned(), kind, required: false };
    let numbers = numeric.iter().map(|n| feature(n, FeatureKind::Numeric { min: None, max: None }));
    let categories = categorical.iter().map(|n| feature(n, FeatureKind::Categorical { values: None }));
    let kind = if regression { TargetKind::Numeric } else { TargetKind::Categorical { classes: None } };
    Schema {
        features: numbers.chain(categories).collect(),
        target: Target { name: "y".to_owned(), kind },
        entity: None,
        slices: vec![],
    }
}

/// Rows with a schema.
pub(crate) struct Data {
    pub(crate) schema: Schema,
    pub(crate) cells: Vec<Vec<Value>>,
    pub(crate) targets: Vec<Value>,
}

impl Data {
    /// Two numbers, one of them sometimes missing, and a category, which together tell `classes` classes (0: a number).
    pub(crate) fn mixed(rows: usize, classes: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let (mut cells, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let (a, b) = (rng.random::<f64>() * 10.0, rng.random::<f64>() - 0.5);
            let c = rng.random_range(0..4_u32);
            let truth = a + 4.0 * b + f64::from(c) + rng.random::<f64>();
            let b = if rng.random::<f64>() < 0.1 { Value::Missing } else { numeric(b) };
            cells.push(vec![numeric(a), b, text(&format!("c{c}"))]);
            targets.push(match classes {
                0 => numeric(truth * 100.0),
                k => text(&format!("class {:02}", ((truth / 14.0).clamp(0.0, 0.99) * k as f64).floor())),
            });
        }
        Self { schema: schema(&["a", "b"], &["c"], classes == 0), cells, targets }
    }

    fn of(schema: Schema, cells: Vec<Vec<Value>>, targets: Vec<Value>) -> Self {
        Self { schema, cells, targets }
    }

    pub(crate) fn rows(&self) -> Vec<TrainRow<'_>> {
        let pairs = self.cells.iter().zip(&self.targets);
        pairs.map(|(features, target)| TrainRow { features, target, weight: 1.0 }).collect()
    }

    fn fit(&self, recipe: &Recipe) -> Model {
        fit(&self.schema, recipe, &self.rows()).unwrap_or_else(|e| panic!("{e}"))
    }
}

/// Every algorithm at its defaults and at its extremes, cheap ones.
fn recipes() -> Vec<Recipe> {
    let with = |algorithm, settings: &[(&str, f64)]| {
        let parameters: Parameters = settings.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        Recipe { algorithm, parameters, seed: 1 }
    };
    vec![
        with(Algorithm::Boosting, &[]),
        with(Algorithm::Boosting, &[("budget", 0.5), ("max_bin", 255.0)]),
        with(Algorithm::Linear, &[]),
        with(Algorithm::Linear, &[("l2", 1e-4), ("degree", 2.0), ("knots", 8.0)]),
        with(Algorithm::Mlp, &[("epochs", 5.0)]),
        with(Algorithm::Mlp, &[("epochs", 5.0), ("layers", 2.0), ("learning_rate", 0.03)]),
    ]
}

fn assert_sound(output: &Output, model: &Model) {
    match output {
        Output::Number(y) => assert!(y.is_finite()),
        Output::Classes(classes) => {
            let names: Vec<&String> = classes.iter().map(|c| &c.0).collect();
            assert_eq!(names, model.classes().unwrap().iter().collect::<Vec<_>>());
            assert!(classes.iter().all(|c| (0.0..=1.0).contains(&c.1)), "{classes:?}");
            assert!((classes.iter().map(|c| c.1).sum::<f64>() - 1.0).abs() < 1e-9, "{classes:?}");
        }
    }
}

/// Fits, predicts its own rows and odd ones, and goes through its bytes.
fn conforms(name: &str, data: &Data) {
    let width = data.schema.features.len();
    let odd: Vec<Vec<Value>> = vec![
        vec![Value::Missing; width],
        vec![numeric(1.7e308); width],
        vec![numeric(-1.7e308); width],
        vec![text("never seen"); width],
        vec![],
    ];
    for recipe in recipes() {
        let model = data.fit(&recipe);
        let context = format!("{name} with {recipe:?}");
        let bytes = model.to_bytes().unwrap();
        let again = Model::from_bytes(&bytes).unwrap_or_else(|e| panic!("{context}: {e}"));
        assert_eq!(again.to_bytes().unwrap(), bytes, "{context}");
        for cells in data.cells.iter().take(50).chain(&odd) {
            let output = model.predict(cells);
            assert_sound(&output, &model);
            assert_eq!(output, again.predict(cells), "{context}");
        }
    }
}

#[test]
fn ordinary_data() {
    for classes in [0, 2, 5, 40] {
        conforms(&format!("{classes} classes"), &Data::mixed(if classes == 40 { 300 } else { 400 }, classes));
    }
}

#[test]
fn few_rows() {
    for rows in [1, 2, 3, 5, 10, 17, 40] {
        for classes in [0, 2, 3] {
            conforms(&format!("{rows} rows"), &Data::mixed(rows, classes));
        }
    }
}

#[test]
fn one_class_and_one_number() {
    let cells = Data::mixed(50, 2).cells;
    let same =
        |regression, y: Value| Data::of(schema(&["a", "b"], &["c"], regression), cells.clone(), vec![y; 50]);
    conforms("one class", &same(false, text("only")));
    conforms("one number", &same(true, numeric(3.0)));
    assert_eq!(same(true, numeric(3.0)).fit(&recipes()[0]).predict(&cells[0]), Output::Number(3.0));
}

#[test]
fn nothing_to_learn_from() {
    for regression in [false, true] {
        let target = |i: usize| if regression { numeric(i as f64) } else { text(["x", "y", "z"][i % 3]) };
        for (name, cell) in
            [("missing", Value::Missing), ("constant", numeric(2.0)), ("wrong type", text("two"))]
        {
            let cells = vec![vec![cell; 2]; 60];
            conforms(
                name,
                &Data::of(schema(&["a", "b"], &[], regression), cells, (0..60).map(target).collect()),
            );
        }
        let none = Data::of(schema(&[], &[], regression), vec![vec![]; 60], (0..60).map(target).collect());
        conforms("no features", &none);
    }
}

#[test]
fn huge_and_tiny_numbers() {
    let value = |i: usize| numeric([1.7e308, -1.7e308, 1e-308, 0.0, -0.0, 5e-324, 1e200, 1.0][i % 8]);
    let cells: Vec<Vec<Value>> = (0..80).map(|i| vec![value(i), value(i / 8)]).collect();
    let classes = (0..80).map(|i| text(if i % 3 == 0 { "x" } else { "y" })).collect();
    conforms("huge features", &Data::of(schema(&["a", "b"], &[], false), cells.clone(), classes));
    conforms("huge targets", &Data::of(schema(&["a", "b"], &[], true), cells, (0..80).map(value).collect()));
}

#[test]
fn wide_rows_and_many_categories() {
    let names: Vec<String> = (0..120).map(|i| format!("f{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let cells: Vec<Vec<Value>> = (0..60)
        .map(|_| {
            let mut row: Vec<Value> = (0..120).map(|_| numeric(rng.random::<f64>())).collect();
            row.push(text(&format!("id {}", rng.random_range(0..1000_u32))));
            row
        })
        .collect();
    let targets = (0..60).map(|i| text(if i % 2 == 0 { "x" } else { "y" })).collect();
    conforms("wide rows", &Data::of(schema(&names, &["id"], false), cells, targets));
}

#[test]
fn same_input_same_bytes() {
    for classes in [0, 2, 4] {
        let data = Data::mixed(500, classes);
        for recipe in recipes() {
            assert_eq!(
                data.fit(&recipe).to_bytes().unwrap(),
                data.fit(&recipe).to_bytes().unwrap(),
                "{recipe:?}"
            );
        }
    }
}

#[test]
fn every_learner_learns() {
    for (classes, floor) in [(2, 0.85), (4, 0.7)] {
        let data = Data::mixed(1500, classes);
        for recipe in recipes() {
            let model = data.fit(&recipe);
            let hits =
                data.cells.iter().zip(&data.targets).filter(|(c, t)| model.predict(c).point() == **t).count();
            let share = hits as f64 / data.cells.len() as f64;
            assert!(share > floor, "{recipe:?} recognises {share}");
        }
    }
    let data = Data::mixed(1500, 0);
    for recipe in recipes() {
        let model = data.fit(&recipe);
        let error = |(c, t): (&Vec<Value>, &Value)| match (model.predict(c), t) {
            (Output::Number(y), Value::Number(t)) => (y - t).abs(),
            other => panic!("{other:?}"),
        };
        let mae = data.cells.iter().zip(&data.targets).map(error).sum::<f64>() / data.cells.len() as f64;
        assert!(mae < 80.0, "{recipe:?}: mean absolute error {mae}");
    }
}

#[test]
fn confidence_is_judged_on_other_rows() {
    let learnt = Data::mixed(400, 2);
    // The same rows with every third label turned round: no model of the first may be so sure of these.
    let mut judges = Data::mixed(400, 2);
    for index in (0..400).step_by(3) {
        let other = judges.targets.iter().find(|t| **t != judges.targets[index]).unwrap().clone();
        judges.targets[index] = other;
    }
    let loss = |model: &Model| -> f64 {
        let pairs = judges.cells.iter().zip(&judges.targets);
        pairs.filter_map(|(c, t)| tidemill_domain::Loss::Log.of(&model.predict(c), t)).sum::<f64>() / 400.0
    };
    for recipe in recipes() {
        let model = learnt.fit(&recipe);
        let (before, temperature) = (loss(&model), model.temperature_on(&judges.rows()).unwrap());
        let after = loss(&model.clone().tempered(temperature));
        assert!(temperature > 1.0 && after < before, "{recipe:?}: {temperature}, {before} to {after}");
        assert_eq!(model.temperature_on(&judges.rows()[..10]), None, "ten rows say nothing");
    }
    let numbers = Data::mixed(100, 0);
    assert_eq!(numbers.fit(&recipes()[0]).temperature_on(&numbers.rows()), None);
}

#[test]
fn weights_count() {
    let mut data = Data::mixed(200, 2);
    data.targets = (0..200).map(|i| text(if i % 2 == 0 { "x" } else { "y" })).collect();
    for recipe in recipes() {
        let mut rows = data.rows();
        rows.iter_mut().step_by(2).for_each(|r| r.weight = 9.0);
        let model = fit(&data.schema, &recipe, &rows).unwrap();
        let mean = data.cells.iter().map(|c| model.predict(c).probability("x").unwrap()).sum::<f64>() / 200.0;
        assert!(mean > 0.7, "{recipe:?}: {mean}");
        rows.iter_mut().step_by(2).for_each(|r| r.weight = 0.0);
        assert_eq!(fit(&data.schema, &recipe, &rows).unwrap().classes().unwrap(), ["y"]);
    }
}

#[test]
fn typed_errors() {
    let data = Data::mixed(10, 2);
    let recipe = &recipes()[0];
    let row = data.rows()[0];
    let number = numeric(1.0);
    assert!(matches!(fit(&data.schema, recipe, &[]), Err(FitError::NoRows)));
    let none = TrainRow { weight: 0.0, ..row };
    assert!(matches!(fit(&data.schema, recipe, &[none]), Err(FitError::NoRows)));
    let wrong = TrainRow { target: &number, ..row };
    assert!(matches!(fit(&data.schema, recipe, &[row, wrong]), Err(FitError::WrongTarget { row: 1, .. })));
    let narrow = TrainRow { features: &[], ..row };
    assert!(matches!(fit(&data.schema, recipe, &[narrow]), Err(FitError::WrongWidth { expected: 3, .. })));
    let bad = Recipe { parameters: [("budget".to_owned(), 99.0)].into(), ..recipe.clone() };
    assert!(matches!(fit(&data.schema, &bad, &[row]), Err(FitError::BadParameter { .. })));
}

#[test]
fn truncated_artefacts_are_refused() {
    for recipe in recipes() {
        let bytes = Data::mixed(60, 3).fit(&recipe).to_bytes().unwrap();
        for end in (0..bytes.len()).step_by(bytes.len() / 200 + 1) {
            assert!(Model::from_bytes(&bytes[..end]).is_err());
        }
        let text = String::from_utf8(bytes).unwrap();
        let newer = text.replacen("\"format\":1", "\"format\":2", 1);
        assert!(matches!(
            Model::from_bytes(newer.as_bytes()),
            Err(crate::BundleError::Format { found: 2, .. })
        ));
        let renamed = text.replacen(recipe.algorithm.name(), "linear_", 1);
        assert!(Model::from_bytes(renamed.as_bytes()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Whatever happens to the bytes, the answer is an error or a model that predicts soundly.
    #[test]
    fn mutated_artefacts_do_no_harm(which in 0..6_usize, at: prop::sample::Index, new: u8, then: prop::sample::Index) {
        use std::sync::LazyLock;
        static ARTEFACTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            let classes = [3, 2, 3, 2, 0, 3];
            let fits = recipes().into_iter().zip(classes);
            fits.map(|(r, c)| Data::mixed(40, c).fit(&r).to_bytes().unwrap()).collect()
        });
        let mut bytes = ARTEFACTS[which].clone();
        let (at, then) = (at.index(bytes.len()), then.index(bytes.len()));
        bytes[at] = new;
        bytes.swap(at, then);
        bytes[then] = b'9';
        if let Ok(model) = Model::from_bytes(&bytes) {
            for cells in &Data::mixed(3, 2).cells {
                assert_sound(&model.predict(cells), &model);
            }
        }
    }

    /// Written numbers read back to the same bits.
    #[test]
    fn numbers_survive_json(bits: u64) {
        let x = f64::from_bits(bits);
        prop_assume!(x.is_finite());
        let text = serde_json::to_string(&x).unwrap();
        prop_assert_eq!(serde_json::from_str::<f64>(&text).unwrap().to_bits(), bits);
    }
}

#[test]
fn defaults_are_complete() {
    for recipe in recipes() {
        assert_eq!(space::check(recipe.algorithm, &recipe.parameters), Ok(()));
    }
}
